"""What training ends with."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.evaluation.evaluator import Evaluation
from alignrec_geo.evaluation.metrics import (
    TESTED,
)
from alignrec_geo.evaluation.protocols import Protocol
from alignrec_geo.machine import command, machine
from alignrec_geo.models.base import Recommender
from alignrec_geo.notebook import metrics_table
from alignrec_geo.serving.folding import Folding
from alignrec_geo.training.run_folder import RunFolder

VALIDATION, LAST_EPOCH, REFIT, UNTRAINED = "validation", "last epoch", "refit", "nothing to train"
"""What chose the epoch."""


@dataclass(frozen=True)
class FitResult:
    """What training ended with.

    Args:
        metrics: test metrics of the chosen epoch; empty without a test split, or if it was not to be looked at.
        validation: validation metrics of the chosen epoch; empty without a validation split.
        best_epoch: the epoch that was chosen, counted from 0; -1 where there is nothing to train.
        epochs: epochs trained.
        seconds: training and validation time, over all sessions of the run.
        embeddings: the tables of the chosen epoch.
        test: test metrics per user, ``None`` where ``metrics`` is empty.
        chosen_by: ``validation``; ``last epoch`` where there was nobody to validate on; ``refit`` where the pairs of
            all splits were trained on; ``nothing to train``.
    """

    metrics: dict[str, float]
    validation: dict[str, float]
    best_epoch: int
    epochs: int
    seconds: float
    embeddings: Embeddings
    test: Evaluation | None
    chosen_by: str = VALIDATION

    def __repr__(self) -> str:
        """What one asks first; the tables are thousands of numbers."""
        shown = {name: round(self.metrics[name], 4) for name in TESTED if name in self.metrics}
        return f"FitResult({shown}, epoch {self.best_epoch + 1} of {self.epochs}, {self.seconds:.1f} s)"

    def _repr_html_(self) -> str:
        title = f"epoch {self.best_epoch + 1} of {self.epochs}, chosen by {self.chosen_by}, {self.seconds:.1f} s"
        return metrics_table(self.metrics or self.validation, f"{'test' if self.metrics else 'validation'}: {title}")


def write_result(
    folder: RunFolder,
    result: FitResult,
    protocol: Protocol,
    dataset: Dataset,
    best: Mapping[str, Tensor],
    validated: int,
    folding: Folding | None,
    model: Recommender,
) -> None:
    """Write the tables, the rule by which users are folded in, and the metrics of the chosen epoch."""
    folder.write_best(best, result.embeddings)
    folder.write_folding(folding)
    content = {
        "metrics": result.metrics,
        "protocol": protocol.value,
        "split": Split.TEST.label,
        "validation": result.validation,
        "chosen_by": result.chosen_by,
        "measured": bool(result.metrics or result.validation),
        "best_epoch": result.best_epoch,
        "users": {"validation": validated, "test": 0 if result.test is None else len(result.test.users)},
        "epochs": result.epochs,
        "seconds": round(result.seconds, 2),
        "parameters": sum(tensor.numel() for tensor in model.parameters() if tensor.requires_grad),
        "machine": {**machine(torch.get_num_threads()), **_gpu(model)},
        "command": command(),
    }
    folder.write_result(content, None if result.test is None else result.test.frame(dataset.users["id"]))


def _gpu(model: Recommender) -> dict[str, str]:
    """The name of the GPU a model was trained on, where it was one."""
    device = next((tensor.device for tensor in model.parameters()), torch.device("cpu"))
    return {"gpu": torch.cuda.get_device_name(device)} if device.type == "cuda" else {}
