"""What stage 1 made of feature matrices, as part of the exported item encoder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from alignrec_geo.content.feature_sets.whiten import KIND as WHITENING
from alignrec_geo.content.item_encoder import EXTRACTED, PRETRAINED, WHITENED
from alignrec_geo.content.item_encoding.open import open_item_encoder
from alignrec_geo.content.item_encoding.whitened import WhitenedItemEncoder
from alignrec_geo.content.matrices.item_encoder import FeaturesItemEncoder
from alignrec_geo.content.matrices.model import FeaturesModel
from alignrec_geo.content.pretraining.encoder_folder import CONFIG
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.exporting.modules import ItemVector
from alignrec_geo.files import read_object
from alignrec_geo.nn.whitening import Whitening
from alignrec_geo.reading import reading
from alignrec_geo.serving.cold import NeighbourMean


class Whiten(nn.Module):
    """A stored whitening, ``[B, D]`` to ``[B, D]``; see :class:`~alignrec_geo.nn.whitening.Whitening`.

    Args:
        whitening: with mean and matrix.
    """

    mean: Tensor
    matrix: Tensor

    def __init__(self, whitening: Whitening) -> None:
        super().__init__()
        self.register_buffer("mean", whitening.mean)
        self.register_buffer("matrix", whitening.matrix)

    def forward(self, vectors: Tensor) -> Tensor:
        """Transform vectors."""
        return ((vectors.to(self.mean.dtype) - self.mean) @ self.matrix).to(vectors.dtype)


class AlignedRows(nn.Module):
    """Rows of an aligned matrix from rows of the matrices that it was made of.

    Args:
        model: stage 1 over feature matrices; ``None`` where one matrix was whitened.
        whitening: of its vectors, if any.

    Shapes:
        rows ``[B, W]`` and presence ``[B]`` per matrix, one after the other -> rows ``[B, D]``, presence ``[B]``
    """

    def __init__(self, model: FeaturesModel | None, whitening: Whitening | None) -> None:
        super().__init__()
        self.model = model
        self.whiten = nn.Identity() if whitening is None else Whiten(whitening)

    def forward(self, *parts: Tensor) -> tuple[Tensor, Tensor]:
        """Return rows and which items have one."""
        rows, present = list(parts[::2]), torch.stack(parts[1::2], dim=1)
        known = present.any(dim=1)
        vectors = rows[0] if self.model is None else self.model.vectors(rows, present)
        return torch.where(known[:, None], self.whiten(vectors), torch.zeros_like(vectors)), known


@dataclass(frozen=True)
class Stage:
    """How the rows of a feature matrix of the run are made of what a new item brings.

    Args:
        name: of the matrix.
        widths: of the matrices that an item brings rows of, by name.
        module: from those to a row; ``None`` where the item brings the row itself.
    """

    name: str
    widths: Mapping[str, int]
    module: AlignedRows | None


class ItemFromContent(nn.Module):
    """The vector of an item from rows of the matrices that it brings.

    Args:
        rule: see :class:`~alignrec_geo.exporting.modules.ItemVector`.
        stages: one per matrix of the run, in its order.
        half: keep the tables of the rule in half precision.

    Raises:
        InputError: a matrix that two stages take is of two widths.

    Attributes:
        widths: of the matrices whose rows it takes, by name, in the order in which it takes them.
    """

    def __init__(self, rule: NeighbourMean, stages: list[Stage], half: bool = False) -> None:
        super().__init__()
        self.rule = ItemVector(rule, half)
        self.widths: dict[str, int] = {}
        for stage in stages:
            for name, width in stage.widths.items():
                if self.widths.setdefault(name, width) != width:
                    raise InputError(
                        f"rows of '{name}' are {self.widths[name]} wide for one matrix, {width} for another"
                    )
        self._plan = [(stage.module is not None, list(stage.widths)) for stage in stages]
        self.stages = nn.ModuleList(nn.Identity() if stage.module is None else stage.module for stage in stages)

    def rows_of(self, place: int, given: Mapping[str, Sequence[Tensor]]) -> list[Tensor]:
        """Rows of a matrix of the run, by its place, and which items have one, from what items bring, by name."""
        made, names = self._plan[place]
        brought = [part for name in names for part in given[name]]
        return list(self.stages[place](*brought)) if made else brought

    def forward(self, *parts: Tensor) -> tuple[Tensor, Tensor]:
        """Return vectors ``[B, D]`` and which items have content, from rows and presence of every matrix."""
        given = {name: parts[2 * place : 2 * place + 2] for place, name in enumerate(self.widths)}
        vectors, known = self.rule(*(part for place in range(len(self._plan)) for part in self.rows_of(place, given)))
        return vectors, known


def stage_of(data: Dataset, name: str) -> Stage:
    """How the rows of a feature matrix are made, as far as its encoder takes rows of other matrices.

    Images and texts are encoded by packages of their own; then a new item brings the row itself.

    Args:
        data: with the matrix and its encoder.
        name: of the matrix.

    Raises:
        InputError: the encoder is damaged.
    """
    plain = Stage(name, {name: data.features(name).width}, None)
    if not _takes_rows(data, name):
        return plain
    encoder = open_item_encoder(data, name)
    if isinstance(encoder, WhitenedItemEncoder):
        return Stage(name, {encoder.source: encoder.width}, AlignedRows(None, encoder.whitening))
    if isinstance(encoder, FeaturesItemEncoder):
        widths = dict(zip(encoder.modalities, encoder.widths, strict=True))
        return Stage(name, widths, AlignedRows(encoder.model, encoder.whitening))
    return plain


def _takes_rows(data: Dataset, name: str) -> bool:
    """Whether the encoder of a matrix takes rows of other matrices, not images and texts."""
    config = data.encoder_folder(name) / CONFIG
    if data.features(name).meta.get("made by") not in (PRETRAINED, WHITENED) or not config.exists():
        return False
    told = read_object(config)
    with reading(config, "configuration of an encoder"):
        imported = told["kind"] == WHITENING and told["task"]["meta"].get("made by") not in (EXTRACTED, PRETRAINED)
        return imported or told["kind"] == "features"
