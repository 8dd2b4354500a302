"""The whole of a comparison: plan it, train what is not trained yet, report."""

import os
import shlex
from collections.abc import Sequence
from os import PathLike

from alignrec_geo.comparison.folder import open_folder, settle_plan
from alignrec_geo.comparison.observer import ComparisonObserver
from alignrec_geo.comparison.report import Reporter
from alignrec_geo.comparison.request import default_threads, make_plan
from alignrec_geo.comparison.schedule import Scheduler
from alignrec_geo.comparison.table import ComparisonResults
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.evaluation.metrics import DEFAULT


def compare(
    dataset: str | PathLike[str],
    out: str | PathLike[str],
    models: Sequence[str] = ("all",),
    *,
    features: Sequence[str] | None = None,
    protocol: str = "clean",
    seeds: int = 5,
    trials: int = 0,
    jobs: int = 1,
    settings: Sequence[str] = (),
    metrics: Sequence[str] = (),
    reference: str | None = None,
    retry_failed: bool = False,
    observer: ComparisonObserver | None = None,
) -> ComparisonResults:
    """Train models on equal terms, test them, and write tables, figures and a report.

    With ``trials`` every model gets the same number of them over its own search space; validation alone chooses. Then
    every model is trained once per seed with what was chosen. Called again with the same arguments it goes on where it
    was; more models, trials or seeds only add runs. Several processes may share one folder.

    Args:
        dataset: data set folder.
        out: folder to write.
        models: names; ``["all"]`` are all of this package.
        features: names of feature matrices; ``None`` takes all, an empty list none.
        protocol: ``clean`` or ``mmrec``.
        seeds: final runs per model.
        trials: trials per model; 0 takes the defaults.
        jobs: runs at a time, each in a process of its own.
        settings: ``MODEL.key=value``, or ``key=value`` for every model that has it; what is set is not searched.
        metrics: what the tests measure beside Recall, NDCG, Precision and MAP: names such as ``coverage``.
        reference: the model the others are compared with; by default AlignRec.
        retry_failed: train runs again that failed before.
        observer: told how it goes.

    Returns:
        The content of ``results.json``, with ``to_frame()``.

    Raises:
        InputError: something unknown or impossible was asked for, or ``out`` holds something else.

    Example:
        >>> results = compare("data/tiktok", "runs/tiktok", ["alignrec", "bpr"], trials=8)  # doctest: +SKIP
        >>> results["models"][0]["runs"][0]["metrics"]["recall@20"]  # doctest: +SKIP
    """
    if jobs < 1:
        raise InputError(f"jobs must be at least 1 (got {jobs})")
    if metrics:
        settings = [*settings, f"training.metrics=[{', '.join([*DEFAULT, *metrics])}]"]
    layout, stored = open_folder(out, "comparison")
    if reference is None and stored is not None:
        reference = stored.reference  # which model that is by default depends on the order of the names
    wanted = make_plan(
        Dataset.open(dataset),
        models,
        features,
        protocol,
        trials,
        seeds,
        settings,
        reference,
        default_threads(jobs, given="OMP_NUM_THREADS" in os.environ),
        _command(dataset, out, models, features, protocol, seeds, trials, settings, reference),
    )
    plan = settle_plan(layout, stored, wanted, retry_failed)
    reporter = Reporter(layout)
    observer = ComparisonObserver() if observer is None else observer
    observer.comparison_started(plan, layout, jobs)
    try:
        Scheduler(plan, layout, jobs, observer, reporter.after_run).run()
    finally:
        observer.comparison_ended()
    return ComparisonResults(reporter.write())


def _command(
    dataset: str | PathLike[str],
    out: str | PathLike[str],
    models: Sequence[str],
    features: Sequence[str] | None,
    protocol: str,
    seeds: int,
    trials: int,
    settings: Sequence[str],
    reference: str | None,
) -> str:
    """The command line that asks for the same table; how many jobs make it is not part of it."""
    words = ["alignrec-geo", "compare", str(dataset), "--models", ",".join(models)]
    words += [] if features is None else ["--features", ",".join(features) or "none"]
    words += ["--protocol", protocol, "--seeds", str(seeds)]
    words += ["--trials", str(trials)] if trials else []
    for setting in settings:
        words += ["--set", setting]
    words += [] if reference is None else ["--reference", reference]
    return shlex.join([*words, "--out", str(out)])
