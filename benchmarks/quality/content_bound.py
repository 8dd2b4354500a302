"""How much of users' behaviour do content vectors hold at most? Stores matrices to train with in their place.

    python benchmarks content_bound data/tiktok --features image,audio
    alignrec-geo compare data/tiktok --models alignrec --features supervised --seeds 5 --out runs/supervised
    alignrec-geo compare data/tiktok --models alignrec --features image,audio --seeds 5 --out runs/plain
    alignrec-geo compare data/tiktok --models alignrec --features noise --seeds 5 --out runs/noise
    python benchmarks stage2 stage2-tiktok-bound runs/plain runs/supervised runs/noise

``supervised`` is what a regression finds that sees the training pairs, which no pre-training does: directions of items
in the singular vectors of the user-item graph, predicted from each item's content by a regression fitted to others. If
they help no more than the content itself, no vectors made of this content alone can be expected to. ``noise`` has the
width of the content and says nothing: what is left with it in their place is what content is not needed for.
"""

import json
import math
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
import typer
from harness.machine import RESULTS, machine
from harness.measure import command
from harness.program import run_program
from torch import Tensor

from alignrec_geo.dataset import Dataset
from alignrec_geo.dataset.features import Features
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.files import write_json
from alignrec_geo.graph.adjacency import bipartite_adjacency
from alignrec_geo.graph.spectral import spectral_tables

FOLDS = 5
WAVES = 1024
"""Random Fourier features (Rahimi and Recht, 2007) of the regression that is not linear."""
WIDTHS = (None, 0.5, 1.0, 2.0)
"""Widths of its Gaussian kernel, in medians of the distance between two items; None is the linear regression."""
RIDGES = (10.0, 100.0, 1_000.0, 10_000.0, 100_000.0)


def main(
    dataset: Annotated[Path, typer.Argument(help="Data set folder; the two matrices are stored in it.")],
    features: Annotated[str, typer.Option(help="Content, comma-separated.")],
    dim: Annotated[int, typer.Option(help="Singular vectors to predict.")] = 64,
    seed: Annotated[int, typer.Option(help="Seed of folds, Fourier features and noise.")] = 0,
    name: Annotated[str | None, typer.Option(help="Name of the result; DATASET-content-bound without it.")] = None,
    results: Annotated[Path, typer.Option(help="Folder for the result.")] = RESULTS,
) -> None:
    """Print how well behaviour can be predicted from content, and store it with the matrices."""
    data, contents = Dataset.open(dataset), features.split(",")
    x, present = content_rows(data, contents)
    y, weight = behaviour(data, dim, seed)
    weight = weight * present
    tried, predicted = best_regression(x, y, weight, seed)
    result: dict[str, Any] = {
        "name": name or f"{data.name}-content-bound",
        "command": command(),
        "dataset": {"name": data.name, **data.counts()},
        "content": contents,
        "dim": dim,
        "folds": FOLDS,
        "seed": seed,
        "explained": explained(predicted, y, weight),
        "tried": tried,
        "machine": machine(),
    }
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))
    data.store_features(
        stored("supervised", predicted, present, contents), stored("noise", noise, present, contents), overwrite=True
    )
    write_json(results / f"{result['name']}.json", result)
    print(json.dumps({key: result[key] for key in ("explained", "tried")}, indent=1))


def content_rows(data: Dataset, contents: list[str]) -> tuple[Tensor, Tensor]:
    """All contents side by side, every column of mean 0 and variance 1; and which items have them all."""
    found = [data.features(content) for content in contents]
    present = torch.from_numpy(np.logical_and.reduce([one.present for one in found]))
    x = torch.cat([torch.from_numpy(np.asarray(one.matrix, dtype=np.float64)) for one in found], dim=1)
    seen = x[present]
    return (x - seen.mean(dim=0)) / seen.std(dim=0).clamp(min=1e-8), present


def behaviour(data: Dataset, dim: int, seed: int) -> tuple[Tensor, Tensor]:
    """Directions of items in the leading singular vectors, from training pairs alone; and 1 for items that have any.

    Lengths grow with popularity, of which content says little: a few popular items would be nearly all of the variance.
    """
    pairs = data.interactions.of(Split.TRAIN)
    edges = torch.from_numpy(np.stack([pairs.user, pairs.item]))
    block = bipartite_adjacency(edges, len(data.users), len(data.items))
    items = spectral_tables(block, dim, torch.Generator().manual_seed(seed)).items.double()
    return F.normalize(items, dim=1), (items.norm(dim=1) > 0).double()


def best_regression(x: Tensor, y: Tensor, weight: Tensor, seed: int) -> tuple[list[dict[str, Any]], Tensor]:
    """Out-of-fold predictions of the regression that explains most, and what every other explained."""
    draw = torch.Generator().manual_seed(seed)
    fold = torch.randperm(len(x), generator=draw) % FOLDS
    apart = (x[torch.randperm(len(x), generator=draw)] - x).norm(dim=1)
    median = float(apart[apart > 0].median())
    tried: list[dict[str, Any]] = []
    best: tuple[float, Tensor] | None = None
    for width in WIDTHS:
        columns = x if width is None else torch.cat([x / median, waves(x, width * median, draw)], dim=1)
        for ridge, predicted in zip(RIDGES, out_of_fold(columns, y, weight, fold), strict=True):
            share = explained(predicted, y, weight)
            tried.append({"kernel_width": width, "ridge": ridge, "explained": round(share, 5)})
            if best is None or share > best[0]:
                best = share, predicted
    assert best is not None
    return tried, best[1]


def waves(x: Tensor, width: float, draw: torch.Generator) -> Tensor:
    """Random Fourier features of a Gaussian kernel, ``[I, WAVES]``."""
    direction = torch.randn(x.shape[1], WAVES, generator=draw, dtype=x.dtype) / width
    phase = 2 * torch.pi * torch.rand(WAVES, generator=draw, dtype=x.dtype)
    return torch.cos(x @ direction + phase) * math.sqrt(2 / WAVES) * math.sqrt(x.shape[1])


def out_of_fold(x: Tensor, y: Tensor, weight: Tensor, fold: Tensor) -> list[Tensor]:
    """Predictions by every ridge of :data:`RIDGES`, each of an item by a regression that did not see it."""
    predicted = [torch.zeros_like(y) for _ in RIDGES]
    for part in range(FOLDS):
        held, rows = fold == part, ((fold != part) & (weight > 0)).nonzero()[:, 0]
        mean_x, mean_y = x[rows].mean(dim=0), y[rows].mean(dim=0)
        centred = x[rows] - mean_x
        values, vectors = torch.linalg.eigh(centred.T @ centred)
        given = vectors.T @ (centred.T @ (y[rows] - mean_y))
        asked = (x[held] - mean_x) @ vectors
        for ridge, target in zip(RIDGES, predicted, strict=True):
            target[held] = asked @ (given / (values.clamp(min=0) + ridge)[:, None]) + mean_y
    return predicted


def explained(predicted: Tensor, y: Tensor, weight: Tensor) -> float:
    """Share of the variance of ``y`` that is predicted (R², all columns together)."""
    mean = (y * weight[:, None]).sum(dim=0) / weight.sum()
    left = (weight[:, None] * (y - predicted) ** 2).sum()
    return float(1 - left / (weight[:, None] * (y - mean) ** 2).sum())


def stored(name: str, matrix: Tensor, present: Tensor, contents: list[str]) -> Features:
    """A feature matrix of float32."""
    rows = (matrix * present[:, None]).float().numpy()
    return Features(name, rows, present.numpy(), {"made by": "benchmarks content_bound", "from": "+".join(contents)})


if __name__ == "__main__":
    run_program(main)
