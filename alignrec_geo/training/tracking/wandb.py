"""A run of Weights & Biases, online or in files, as its own variables say."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from alignrec_geo.training.tracking.tracker import Tracker, scalars

PROJECT = "alignrec-geo"


class WandB(Tracker):
    """Parameters, metrics of every epoch, result and report of a run of Weights & Biases.

    ``WANDB_MODE=offline`` writes files for ``wandb sync``; ``WANDB_PROJECT``, ``WANDB_ENTITY``, ``WANDB_DIR`` and the
    others work as they always do. A resumed run goes on in the same run (online; offline there are two to sync).
    """

    name = "Weights & Biases"

    def __init__(self) -> None:
        self._run: Any = None

    def run_started(self, called: str, settings: Mapping[str, Any], before: str | None) -> str | None:
        """Open a run, or the one of before again."""
        import wandb

        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or PROJECT,
            name=called,
            config=dict(settings),
            id=before,
            resume=None if before is None else "allow",
            settings=wandb.Settings(console="off"),  # standard output is the program's own
        )
        return str(self._run.id)

    def epoch_done(self, record: Mapping[str, Any]) -> None:
        """Log the numbers of the epoch."""
        self._run.log(dict(scalars(record)), step=record["epoch"])

    def run_ended(self, metrics: Mapping[str, float], files: Sequence[Path]) -> None:
        """Log the result and close the run."""
        import wandb

        self._run.summary.update(dict(metrics))
        if files:
            artifact = wandb.Artifact(f"run-{self._run.id}", type="run")
            for file in files:
                artifact.add_file(str(file))
            self._run.log_artifact(artifact)
        self._run.finish()

    def run_failed(self, stopped: bool) -> None:
        """Close the run."""
        self._run.finish(exit_code=130 if stopped else 1)
