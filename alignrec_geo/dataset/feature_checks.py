"""Checks of one feature matrix, in blocks of rows: repeated rows, constant columns, lengths."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alignrec_geo.dataset.features import Features

BLOCK = 4096


@dataclass(frozen=True)
class FeatureFacts:
    """What :func:`feature_facts` found.

    Args:
        name: of the modality.
        width: number of columns.
        present: items that have it, ``[I]``.
        repeated: items whose row another item has too.
        distinct: number of different rows.
        constant: columns with the same value in every row.
        norm: median length of a row.
    """

    name: str
    width: int
    present: NDArray[np.bool_]
    repeated: int
    distinct: int
    constant: int
    norm: float

    def warnings(self) -> list[str]:
        """Sentences on what will hurt."""
        have = int(self.present.sum())
        if have == 0:
            return [f"features '{self.name}': no item has them"]
        if self.distinct == 1 and have > 1:
            return [f"features '{self.name}' are all equal: they tell no item from another"]
        said = []
        if self.repeated:
            said.append(
                f"features '{self.name}': {self.repeated} of {have} items share their row with another item "
                f"({self.distinct} different rows)"
            )
        if self.constant:
            said.append(f"features '{self.name}': {self.constant} of {self.width} columns have one value in all rows")
        return said


def feature_facts(features: Features) -> FeatureFacts:
    """Look at the rows of the items that have the features."""
    rows = np.flatnonzero(features.present)
    if not len(rows):
        return FeatureFacts(features.name, features.width, features.present, 0, 0, 0, 0.0)
    weights = np.random.default_rng(0).integers(1, 2**63, size=features.width, dtype=np.uint64) | np.uint64(1)
    keys = np.empty(len(rows), dtype=np.uint64)
    norms = np.empty(len(rows))
    low = np.full(features.width, np.inf, dtype=np.float32)
    high = np.full(features.width, -np.inf, dtype=np.float32)
    for start in range(0, len(rows), BLOCK):
        block = features.matrix[rows[start : start + BLOCK]]
        keys[start : start + BLOCK] = _row_keys(block, weights)
        norms[start : start + BLOCK] = np.linalg.norm(block.astype(np.float64), axis=1)  # squares beyond float32
        low, high = np.minimum(low, block.min(axis=0)), np.maximum(high, block.max(axis=0))
    _, counts = np.unique(keys, return_counts=True)
    return FeatureFacts(
        name=features.name,
        width=features.width,
        present=features.present,
        repeated=int(counts[counts > 1].sum()),
        distinct=len(counts),
        constant=int((low == high).sum()) if len(rows) > 1 else 0,
        norm=float(np.median(norms)),
    )


def _row_keys(block: NDArray[np.float32], weights: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """One 64-bit multiply-shift hash of every row: equal rows have equal keys, others in practice do not."""
    bits = (block + np.float32(0)).view(np.uint32).astype(np.uint64)  # adding 0 makes -0.0 equal 0.0
    bits *= weights
    bits ^= bits >> np.uint64(29)
    keys: NDArray[np.uint64] = bits.sum(axis=1, dtype=np.uint64)
    return keys
