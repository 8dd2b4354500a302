"""What a recommender loses when one modality of half of the items is hidden from it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

import numpy as np
import torch

from alignrec_geo.content.item_encoder import ItemEncoder, NewItem
from alignrec_geo.content.tokens.text_tokens import item_texts
from alignrec_geo.dataset.features import Features
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.randomness import child_generator
from alignrec_geo.typing import Int64

ENCODED, ZEROED = "encoded again", "zeroed"
_AT_A_TIME = 32


@dataclass(frozen=True)
class MaskRow:
    """One row of the table.

    Args:
        content: names of feature matrices joined by ``+``.
        hidden: the modality that is hidden; ``None`` where nothing is.
        how: :data:`ENCODED`, the items' vectors were made again without it, or :data:`ZEROED`, the matrix's rows are
            zero; empty where nothing is hidden.
        metrics: test metrics, one entry per seed.
    """

    content: str
    hidden: str | None
    how: str
    metrics: list[dict[str, float]] = field(default_factory=list)

    def mean(self, metric: str) -> float:
        """Mean over seeds."""
        return fmean(values[metric] for values in self.metrics)


Train = Callable[[Dataset, Sequence[str], int], dict[str, float]]
"""Trains a recommender on a data set with these features and this seed, and returns its test metrics."""


def mask_modality(
    dataset: Dataset,
    contents: Sequence[str],
    train: Train,
    encoders: Mapping[str, ItemEncoder],
    seeds: Sequence[int],
    items: Int64,
    done: Callable[[MaskRow], None] | None = None,
) -> list[MaskRow]:
    """Train with everything, then with one modality of ``items`` hidden, for each modality in turn.

    A matrix that was made by an encoder is encoded again with a modality hidden, and also zeroed as a whole; a plain
    matrix is a modality of its own and is zeroed.

    Args:
        dataset: as stored.
        contents: feature names, several joined by ``+``.
        train: trains and tests.
        encoders: by feature name, those that can hide a modality.
        seeds: of training, one run each.
        items: rows of the items that lose a modality (:func:`half_of_items`).
        done: told of every finished row.

    Raises:
        InputError: a feature is unknown.
    """
    rows = []
    for content in contents:
        names = content.split("+")
        for hidden, how, changed in _variants(dataset, names, encoders, items):
            row = MaskRow(content, hidden, how)
            data = dataset.with_features(*changed)
            for seed in seeds:
                row.metrics.append(train(data, names, seed))
            rows.append(row)
            if done is not None:
                done(row)
    return rows


def half_of_items(n_items: int, seed: int, share: float = 0.5) -> Int64:
    """A fixed random share of the items, sorted.

    Raises:
        InputError: the share is not between 0 and 1.

    Example:
        >>> len(half_of_items(10, seed=0))
        5
    """
    if not 0.0 < share <= 1.0:
        raise InputError(f"the share of the items must be above 0 and at most 1 (got {share})")
    drawn = torch.randperm(n_items, generator=child_generator(seed, "masked items"))[: round(share * n_items)]
    return np.sort(drawn.numpy())


def _variants(
    dataset: Dataset, names: Sequence[str], encoders: Mapping[str, ItemEncoder], items: Int64
) -> Iterator[tuple[str | None, str, list[Features]]]:
    yield None, "", []
    for name in names:
        stored = dataset.features(name)
        encoder = encoders.get(name)
        if encoder is not None and len(encoder.modalities) > 1:
            for modality in encoder.modalities:
                yield modality, ENCODED, [encoded_without(dataset, stored, encoder, modality, items)]
        yield name, ZEROED, [zeroed(stored, items)]


def zeroed(stored: Features, items: Int64) -> Features:
    """The matrix without the rows of some items."""
    matrix, present = stored.matrix.copy(), stored.present.copy()
    matrix[items], present[items] = 0.0, False
    return Features(stored.name, matrix, present, stored.meta)


def encoded_without(dataset: Dataset, stored: Features, encoder: ItemEncoder, modality: str, items: Int64) -> Features:
    """The matrix with the rows of some items made again while one modality is hidden."""
    matrix, present = stored.matrix.copy(), stored.present.copy()
    texts, ids = item_texts(dataset.items), dataset.items["id"].to_list()
    # an encoder of feature matrices takes its modalities from them
    sources = {name: dataset.features(name) for name in encoder.modalities if name in dataset.feature_names}
    for start in range(0, len(items), _AT_A_TIME):
        chunk = items[start : start + _AT_A_TIME]
        known = [
            NewItem(ids[n], texts[n], dataset.image_path(int(n)), _vectors(sources, int(n))) for n in chunk.tolist()
        ]
        vectors, has = encoder.encode(known, masked=[modality])
        matrix[chunk], present[chunk] = vectors.numpy(), has.numpy()
    return Features(stored.name, matrix, present, stored.meta)


def _vectors(sources: Mapping[str, Features], row: int) -> dict[str, Any]:
    return {name: part.matrix[row] for name, part in sources.items() if part.present[row]}
