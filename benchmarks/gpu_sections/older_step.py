"""Steps of whatever version of ``alignrec_geo`` is imported; called by ``before.py``.

Uses only what every version has: ``MODELS``, models made from a graph, ``loss``. The step is the one that the training
loop of version 0.1.0 made: every loss term is read, then backward and fused Adam.
"""

import json
import sys
import time
from collections.abc import Iterator
from itertools import cycle
from statistics import median
from typing import Any

import torch

import alignrec_geo
from alignrec_geo.models import MODELS, Batch

STEPS = 10
FLOORS = ("popularity", "random", "content-knn")
"""Models that do not train; they are made from a data set only."""


def main(task: str, device: str, rounds: int) -> None:
    """Print one JSON line per model."""
    given = torch.load(task, weights_only=False)
    batches = [
        Batch(users.to(device), positives.to(device), negatives.to(device), len(users))
        for users, positives, negatives in given["batches"]
    ]
    for what, name, settings in _contestants(given["models"]):
        kind = MODELS[name]
        try:
            config = kind.settings(settings)
            model = kind(given["graph"], None if kind.uses_features else [], config, given["seed"]).to(device)
            row: dict[str, Any] = {"what": what, "seconds": _seconds(model, batches, rounds)}
        except Exception as error:
            row = {"what": what, "failed": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps({**row, "package": alignrec_geo.__file__}), flush=True)


def _contestants(models: list[str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name in models:
        if name not in FLOORS:
            yield name, name, {}
        if name == "alignrec":
            yield "alignrec, frozen features", name, {"train_features": False}


def _seconds(model: Any, batches: list[Batch], rounds: int) -> float:
    """The median over rounds of seconds per step."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=1e-3, fused=True)
    model.train()
    model.start_epoch(0, torch.Generator().manual_seed(0))
    following = cycle(batches)

    def steps() -> float:
        started = time.perf_counter()
        for _ in range(STEPS):
            terms = model.loss(next(following))
            for term in terms.values():
                float(term.detach())
            optimizer.zero_grad()
            torch.stack([term.reshape(()) for term in terms.values()]).sum().backward()
            optimizer.step()
        if torch.cuda.is_initialized():
            torch.cuda.synchronize()
        return (time.perf_counter() - started) / STEPS

    steps()
    return median(steps() for _ in range(rounds))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
