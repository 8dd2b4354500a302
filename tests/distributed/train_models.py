"""What the ranks of the tests run: several models one after another, as one process would train them."""

import json
import sys
from pathlib import Path
from typing import Any

from alignrec_geo.dataset import Dataset
from alignrec_geo.distributed.join import joined
from alignrec_geo.models import find_model
from alignrec_geo.training import fit

SMALL: dict[str, tuple[str, dict[str, Any]]] = {
    "alignrec-frozen": ("alignrec", {"train_features": False}),
    "alignrec-trained": ("alignrec", {"train_features": True, "fusion": "gate"}),
    "alignrec-current": ("alignrec", {"anchor": "current", "losses": "bpr + reg(0.1) + symmetric_infonce(0.01)"}),
    "lightgcn": ("lightgcn", {}),
    "bpr": ("bpr", {}),
    "bm3": ("bm3", {}),
    "freedom": ("freedom", {"pruning": 0.5}),
    "mgcn": ("mgcn", {}),
}
"""Model and settings of each run."""
TRAINING = {"batch_size": 64, "lr": 0.01, "log_to": ()}


def train(data: Path, out: Path, names: list[str], epochs: int, resume: bool, batch_size: int, dim: int) -> None:
    for name in names:
        model, config = SMALL[name]
        dataset = Dataset.open(data)
        made = find_model(model).from_dataset(dataset, config={"dim": dim, **config})
        training = {**TRAINING, "epochs": epochs, "batch_size": batch_size}
        fit(made, dataset, training, out=out / name, resume=resume)


if __name__ == "__main__":
    arguments = json.loads(sys.argv[1])
    with joined():
        train(Path(arguments.pop("data")), Path(arguments.pop("out")), **arguments)
