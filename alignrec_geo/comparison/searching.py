"""The settings of one model, searched: trials on validation, several at a time, and the best as a file."""

import os
import shlex
import time
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from alignrec_geo.comparison.folder import open_folder, settle_plan
from alignrec_geo.comparison.observer import ComparisonObserver
from alignrec_geo.comparison.pruning import MedianRule
from alignrec_geo.comparison.request import default_threads, make_plan
from alignrec_geo.comparison.row_name import parse_row
from alignrec_geo.comparison.schedule import Scheduler
from alignrec_geo.comparison.space import read_space
from alignrec_geo.comparison.tuned import TuningReporter, TuningResults
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.reading import as_path


def tune(
    dataset: str | PathLike[str],
    out: str | PathLike[str],
    model: str = "alignrec",
    *,
    trials: int = 20,
    timeout: float | None = None,
    space: str | PathLike[str] | None = None,
    features: Sequence[str] | None = None,
    protocol: str = "clean",
    jobs: int = 1,
    settings: Sequence[str] = (),
    prune: bool = True,
    retry_failed: bool = False,
    trust: bool = False,
    observer: ComparisonObserver | None = None,
) -> TuningResults:
    """Search the settings of one model on validation, and write the best as ``best.yaml`` for ``train --config``.

    Trial 0 are the defaults; the others are suggested by Optuna's TPE on the finite grid of the search space, no point
    twice. A trial that is behind is stopped early (:class:`~alignrec_geo.comparison.pruning.MedianRule`). The test
    split is never looked at. Called again with the same arguments it goes on where it was; more trials only add runs.

    With one job the same search is made every time. With several, what a trial tries depends on which trials have
    ended by then.

    Args:
        dataset: data set folder.
        out: folder to write.
        model: name of the model; ``MODEL+LAYER`` has another user-item layer.
        trials: how many trials.
        timeout: seconds after which to stop; what is being trained can be continued. ``None``: no limit.
        space: YAML file of the values to choose from (:func:`~alignrec_geo.comparison.space.read_space`); ``None``
            takes the model's own search space.
        features: names of feature matrices; ``None`` takes all, an empty list none.
        protocol: ``clean`` or ``mmrec``.
        jobs: trials at a time, each in a process of its own.
        settings: ``key=value``; what is set is not searched.
        prune: stop trials that are behind.
        retry_failed: train trials again that failed before.
        trust: run code (class paths of layers) that only the file of the search space names.
        observer: told how it goes.

    Returns:
        The content of ``tuning.json``, with ``to_frame()``.

    Raises:
        InputError: something unknown or impossible was asked for, or ``out`` holds something else.

    Example:
        >>> found = tune("data/tiktok", "runs/tiktok-tuned", "freedom", trials=30, jobs=2)  # doctest: +SKIP
        >>> found["best"]["settings"]  # doctest: +SKIP
    """
    if jobs < 1:
        raise InputError(f"jobs must be at least 1 (got {jobs})")
    if timeout is not None and not timeout > 0:
        raise InputError(f"timeout must be a positive number of seconds (got {timeout})")
    layout, stored = open_folder(out, "search")
    own_space = None if space is None else read_space(as_path(space), parse_row(model).model, trust)
    wanted = make_plan(
        Dataset.open(dataset),
        [model],
        features,
        protocol,
        trials,
        0,
        settings,
        model,
        default_threads(jobs, given="OMP_NUM_THREADS" in os.environ),
        _command(dataset, out, model, trials, timeout, space, features, protocol, settings, prune),
        own_space,
        tuning=True,
    )
    if not wanted.models[model].search_space:
        raise InputError(f"there is nothing to search: '{model}' has no search space, or all of it is set; give space=")
    plan = settle_plan(layout, stored, wanted, retry_failed)
    reporter = TuningReporter(layout)
    observer = ComparisonObserver() if observer is None else observer
    rule = MedianRule(layout) if prune else None
    deadline = float("inf") if timeout is None else time.monotonic() + timeout
    observer.comparison_started(plan, layout, jobs)
    try:
        Scheduler(plan, layout, jobs, observer, reporter.after_run, rule, deadline).run()
    finally:
        observer.comparison_ended()
    return TuningResults(reporter.write())


def _command(
    dataset: str | PathLike[str],
    out: str | PathLike[str],
    model: str,
    trials: int,
    timeout: float | None,
    space: str | PathLike[str] | None,
    features: Sequence[str] | None,
    protocol: str,
    settings: Sequence[str],
    prune: bool,
) -> str:
    """The command line that asks for the same search; how many jobs make it is not part of it."""
    words = ["alignrec-geo", "tune", str(dataset), "--model", model, "--trials", str(trials)]
    words += [] if timeout is None else ["--timeout", f"{timeout:g}"]
    words += [] if space is None else ["--space", str(Path(space))]
    words += [] if features is None else ["--features", ",".join(features) or "none"]
    words += ["--protocol", protocol, *([] if prune else ["--no-prune"])]
    for setting in settings:
        words += ["--set", setting]
    return shlex.join([*words, "--out", str(out)])
