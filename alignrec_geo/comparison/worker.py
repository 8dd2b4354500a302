"""The process of one run: ``python -m alignrec_geo.comparison RUN_FOLDER [--no-test] [--trust]``.

The run folder holds the ``config.yaml`` to train; with ``--trust`` it may name code. Standard input is a lifeline: when
it ends, whoever started this process is gone, and it ends too.
"""

import argparse
import os
import sys
import threading
import traceback
from pathlib import Path
from statistics import median
from typing import Any

from alignrec_geo.comparison.run import COST, ERROR, GROUPS, drop_served
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError, TrainingDiverged
from alignrec_geo.evaluation.groups import group_metrics
from alignrec_geo.failures import machine_failure
from alignrec_geo.files import write_json
from alignrec_geo.machine import peak_memory_mb
from alignrec_geo.models.base import Recommender
from alignrec_geo.records import read_epochs
from alignrec_geo.training.configured import fit_config
from alignrec_geo.training.result import FitResult
from alignrec_geo.training.run_config import RunConfig
from alignrec_geo.training.run_files import CONFIG, METRICS_FILE
from alignrec_geo.training.run_folder import RunFolder

ORPHANED = 75
"""Exit code when the lifeline ends."""


def main() -> None:
    """Train the run, or leave ``error.json`` and exit with 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--no-test", action="store_true")
    parser.add_argument("--trust", action="store_true")
    given = parser.parse_args()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    print(f"started as process {os.getpid()}", flush=True)
    if not train_or_say_why(given.folder, test=not given.no_test, trust=given.trust):
        sys.exit(1)
    print("finished", flush=True)


def train_or_say_why(folder: Path, test: bool, trust: bool = False) -> bool:
    """Train the run; whatever fails is left in ``error.json``, and its traceback on standard error.

    Returns:
        Whether the run has finished.
    """
    try:
        train_run(folder, test, trust)
    except Exception as error:
        traceback.print_exc()
        known = str(error) if isinstance(error, (InputError, TrainingDiverged)) else machine_failure(error)
        message = known or f"{type(error).__name__}: {error}"
        write_json(folder / ERROR, {"error": " ".join(message.split())})
        return False
    return True


def train_run(folder: Path, test: bool, trust: bool = False) -> None:
    """Train what ``config.yaml`` says, from the last finished epoch, and leave result, groups and cost.

    ``cost.json`` is written last: a run that has it is finished.
    """
    config = RunConfig.load(folder / CONFIG, trust)
    model, result = fit_config(config, folder, resume=True, test=test)
    if test:
        pairs = Dataset.open(str(config.dataset)).interactions
        write_json(folder / GROUPS, group_metrics(result.embeddings, pairs, Split.TEST, config.protocol))
    write_json(folder / COST, cost(RunFolder(folder), model, result))
    trim(RunFolder(folder), serve=test)


def cost(folder: RunFolder, model: Recommender, result: FitResult) -> dict[str, Any]:
    """What a run cost: memory at its highest, seconds, and how many numbers were trained."""
    seconds = [record["seconds"] for record in read_epochs(folder.path / METRICS_FILE)]
    return {
        "peak_memory_mb": round(peak_memory_mb(), 1),
        "seconds": round(result.seconds, 2),
        "seconds_per_epoch": round(median(seconds), 4) if seconds else 0.0,
        "seconds_to_best": round(sum(seconds[: result.best_epoch + 1]), 2),
        "parameters": sum(tensor.numel() for tensor in model.parameters() if tensor.requires_grad),
    }


def trim(folder: RunFolder, serve: bool) -> None:
    """Delete what a finished run no longer needs; of trials also what serving would need."""
    folder.last.unlink(missing_ok=True)
    if not serve:
        folder.best.unlink(missing_ok=True)
        drop_served(folder.path)


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os._exit(ORPHANED)
