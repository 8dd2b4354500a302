"""``train`` on several ranks: starting them on this machine, and what each of them says."""

import logging
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alignrec_geo.cli.output import stderr, stdout
from alignrec_geo.errors import InputError
from alignrec_geo.ranks import LOST, OURS, Place, launched

if TYPE_CHECKING:
    from alignrec_geo.training.run_config import RunConfig

RanksOption = Annotated[
    int | None,
    typer.Option(
        "--ranks", min=1, metavar="P", help="Train with P processes on this machine, each 1/P of the columns."
    ),
]
GRACE = 10
"""Seconds that ranks have to end once one of them has; then they are killed."""


def place_for(ranks: int | None) -> Place | None:
    """The place of this process among the ranks that a launcher has started; followers say nothing from here on.

    Args:
        ranks: how many were asked for on the command line.

    Raises:
        InputError: the launcher has started another number.
    """
    place = launched()
    if place is None:
        return None
    if ranks not in (None, place.size):
        raise InputError(f"ranks={ranks} contradicts the launcher of this process, which has started {place.size}")
    if place.follows:
        stderr.quiet = stdout.quiet = True
        logging.getLogger("alignrec_geo").setLevel(logging.CRITICAL)
    return place


def start_ranks(ranks: int, out: Path) -> None:
    """Run this process's own command line as several ranks on this machine, until all have ended.

    Args:
        ranks: how many.
        out: the run folder, for the hint how to go on.

    Raises:
        SystemExit: a rank failed, or a signal ended them; with the code for it.
    """
    from torch.distributed.elastic.multiprocessing.api import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    for name in list(logging.root.manager.loggerDict):
        if name.startswith("torch.distributed.elastic"):
            logging.getLogger(name).disabled = True  # what it says is said below, once
    with tempfile.TemporaryDirectory(prefix="alignrec-geo-ranks-") as logs, _environment(ranks), _same_handlers():
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=ranks,
            logs_specs=DefaultLogsSpecs(log_dir=logs),
            run_id=str(os.getpid()),
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            local_addr="127.0.0.1",
            max_restarts=0,
            monitor_interval=0.1,
            shutdown_timeout=GRACE,
        )
        try:
            elastic_launch(config, sys.executable)("-P", "-m", "alignrec_geo", *sys.argv[1:])
        except SignalException as stop:
            stderr.print(f"stopped; {what_is_kept(out)}", soft_wrap=True)
            code = 130 if stop.sigval == signal.SIGINT else 128 + int(stop.sigval)
        except ChildFailedError as failed:
            code, line = what_ended(failed.failures)
            stderr.quiet = False
            kept = "" if code == 2 else f"; {what_is_kept(out)}"
            stderr.print(f"error: {line}{kept}", soft_wrap=True)
        else:
            return
    raise SystemExit(code)


def refuse_apart(config: "RunConfig", ranks: int) -> None:
    """Refuse what several ranks cannot train, before they are started.

    Raises:
        InputError: the model, one of its settings, or the number of ranks.
    """
    from alignrec_geo.models import find_model
    from alignrec_geo.training.apart import check_settings_apart
    from alignrec_geo.training.sampled.check import check_sampled

    model = find_model(config.model)
    check_settings_apart(model, config.parameters, config.training, ranks)
    check_sampled(model, config.parameters, config.training, ranks, bool(config.features))


@contextmanager
def only_errors() -> Iterator[None]:
    """Print no notes within the block."""
    quiet, stderr.quiet = stderr.quiet, True
    try:
        yield
    finally:
        stderr.quiet = quiet


def what_ended(failures: Mapping[int, Any]) -> tuple[int, str]:
    """The exit code and the line of what ended a run, from the failures of its ranks.

    A rank that one of the others took with it is no cause: it lost that one, or was asked to end.

    Args:
        failures: by rank; each has the ``exitcode`` (negative: the signal) and the ``message`` that it left.
    """

    def after(failure: Any) -> int:
        code = failure.exitcode
        return (0 if code < 0 else 1) if code not in (LOST, -signal.SIGTERM) else 2

    rank, failure = min(failures.items(), key=lambda pair: (after(pair[1]), pair[0]))
    code = int(failure.exitcode)
    if code < 0:
        often = " (often: out of memory)" if -code == signal.SIGKILL else ""
        return 1, f"rank {rank} was ended by {signal.Signals(-code).name}{often}, and the others with it"
    return 1 if code == LOST else code, str(failure.message)


def what_is_kept(out: Path) -> str:
    """What of a run that ended early is on disk, and how to go on."""
    from alignrec_geo.training.run_files import CONFIG

    if (out / CONFIG).exists():
        return f"every finished epoch is saved in {out}, go on with --resume"
    return "no epoch was finished, nothing is kept; give the same command again"


@contextmanager
def _environment(ranks: int) -> Iterator[None]:
    """What the ranks find in their environment: this package, their share of the threads, and that we listen."""
    from alignrec_geo.comparison.process import python_path

    before = dict(os.environ)
    threads = max(1, (os.cpu_count() or 1) // ranks)
    os.environ |= {OURS: "1", "PYTHONPATH": python_path()}
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ |= before


@contextmanager
def _same_handlers() -> Iterator[None]:
    """Put the handlers of signals back that torch sets."""
    kinds = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
    before = {kind: signal.getsignal(kind) for kind in kinds}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
