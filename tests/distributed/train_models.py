"""What the ranks of the tests run: several models one after another, as one process would train them."""

from pathlib import Path
from typing import Any

import torch

from alignrec_geo.dataset import Dataset
from alignrec_geo.models import find_model
from alignrec_geo.observer import Observer
from alignrec_geo.training import fit

SMALL: dict[str, tuple[str, dict[str, Any]]] = {
    "alignrec-frozen": ("alignrec", {"train_features": False}),
    "alignrec-trained": ("alignrec", {"train_features": True, "fusion": "gate"}),
    "alignrec-other-losses": (
        "alignrec",
        {"anchor": "current", "losses": "bpr + reg(0.1) + symmetric_infonce(0.01) + directau(0.1)"},
    ),
    "lightgcn": ("lightgcn", {}),
    "bpr": ("bpr", {}),
    "bm3": ("bm3", {}),
    "freedom": ("freedom", {"pruning": 0.5}),
    "mgcn": ("mgcn", {}),
}
"""Model and settings of each run."""


class Watching(Observer):
    """Counts what it is told."""

    def __init__(self) -> None:
        self.told = 0

    def epoch_done(self, record):
        self.told += 1


def train(
    data: Path,
    out: Path,
    names: list[str],
    epochs: int,
    resume: bool = False,
    dim: int = 8,
    batch_size: int = 128,
    features: list[str] | None = None,
) -> dict[str, Any]:
    """Train the models; returns what this rank has of each result."""
    torch.set_num_threads(1)
    found = {}
    for name in names:
        model, config = SMALL[name]
        dataset, watching = Dataset.open(data), Watching()
        made = find_model(model).from_dataset(dataset, features, {"dim": dim, **config})
        training = {"batch_size": batch_size, "lr": 0.01, "log_to": (), "epochs": epochs}
        result = fit(made, dataset, training, out=out / name, resume=resume, observers=watching)
        widths = [result.embeddings.users.shape[1], made.item_embedding.shape[1]]
        found[name] = {"metrics": result.metrics, "widths": widths, "told": watching.told}
    return found
