"""What every section is told, and the data that all of them draw."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from harness.naive import NaiveAlignRec, naive_twin
from harness.shapes import SHAPES, Shape, make_dataset
from torch_geometric.data import HeteroData

from alignrec_geo.dataset import Dataset
from alignrec_geo.dataset.interactions import Interactions, Split
from alignrec_geo.graph import to_hetero
from alignrec_geo.models import MODELS, AlignRec, AlignRecConfig, Batch, Recommender

Row = dict[str, Any]
Emit = Callable[[Row], None]
Turn = Callable[[], None]
Section = Callable[["Setting", Turn, Emit], None]
"""Prepares on the CPU, calls ``turn`` before it touches the device, then emits rows as they are measured."""

SMALL = Shape("small", 4_000, 1_500, 24_000, width=128)
"""For checks that train every model more than once."""


@dataclass(frozen=True)
class Setting:
    """What a section is told.

    Args:
        device: where to measure.
        quick: tiny shapes and two rounds, to see that everything runs.
        seed: of data, parameters and batches.
        data: folder of an imported data set, for the section that trains on real data.
        epochs: how long that section trains each model.
        before: folder in which an older version of the package is installed, for the section that compares with it.
        models: the models that sections about every model are about.
        root: of the checkout, where the tests lie.
    """

    device: str = "cuda"
    quick: bool = False
    seed: int = 0
    data: Path | None = None
    epochs: int = 10
    before: Path | None = None
    models: tuple[str, ...] = tuple(MODELS)
    root: Path = Path(__file__).parents[2]

    @property
    def on_gpu(self) -> bool:
        """Whether the device is a GPU."""
        return torch.device(self.device).type == "cuda"

    @property
    def shape(self) -> Shape:
        """Baby's shape, or a tiny one."""
        return SHAPES["quick" if self.quick else "baby"]

    @property
    def small_shape(self) -> Shape:
        """The shape of checks that train every model."""
        return SHAPES["quick"] if self.quick else SMALL

    @property
    def batch(self) -> int:
        """Triplets per step."""
        return 256 if self.quick else 2048

    @property
    def rounds(self) -> int:
        """Timed rounds."""
        return 2 if self.quick else 7


def dataset_of(setting: Setting, shape: Shape) -> Dataset:
    """The drawn data set of a shape."""
    return make_dataset(shape, None, setting.seed)


def alignrec(graph: HeteroData, trainable: bool, seed: int = 0) -> AlignRec:
    """AlignRec with the package's defaults on a graph."""
    return AlignRec(graph, config=AlignRecConfig(train_features=trainable), seed=seed)


def naive(model: AlignRec, device: str) -> NaiveAlignRec:
    """The naive model with the parameters of ``model``, which is on the CPU."""
    return naive_twin(model).to(device)


def build(name: str, dataset: Dataset, seed: int = 0) -> Recommender:
    """A model by name with its defaults."""
    return MODELS[name].from_dataset(dataset, seed=seed)


def is_learned(model: torch.nn.Module) -> bool:
    """Whether there is anything to train."""
    return any(parameter.requires_grad for parameter in model.parameters())


def learned_models(setting: "Setting", dataset: Dataset) -> Mapping[str, Recommender]:
    """Every chosen model that trains, on the CPU."""
    models = {name: build(name, dataset, setting.seed) for name in setting.models}
    return {name: model for name, model in models.items() if is_learned(model)}


def draw_batches(pairs: Interactions, size: int, count: int, device: str, seed: int = 0) -> list[Batch]:
    """Batches of training pairs with uniform negatives; a step costs the same whichever items these are."""
    train, generator = pairs.of(Split.TRAIN), torch.Generator().manual_seed(seed)
    user, item = torch.from_numpy(train.user), torch.from_numpy(train.item)
    batches = []
    for _ in range(count):
        rows = torch.randint(len(user), (size,), generator=generator)
        negatives = torch.randint(pairs.n_items, (size,), generator=generator)
        batches.append(Batch(user[rows], item[rows], negatives, size).to(torch.device(device)))
    return batches


def graph_of(dataset: Dataset) -> HeteroData:
    """The graph that models are made from, with exact content neighbours."""
    return to_hetero(dataset)
