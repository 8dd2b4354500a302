"""What a feature matrix is like: coverage, lengths, how much all rows share, repeated rows."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alignrec_geo.dataset.feature_checks import feature_facts
from alignrec_geo.dataset.features import Features
from alignrec_geo.files import sha256_of

BLOCK = 4096


@dataclass(frozen=True)
class FeatureReport:
    r"""Numbers that tell whether a feature matrix can be compared by cosines as it is.

    Args:
        name: of the matrix.
        items: rows.
        width: columns.
        present: rows that hold a vector.
        norms: ``min``, ``median``, ``mean``, ``max`` length of a vector.
        mean_share: the share of the squared lengths that all vectors have in common,
            :math:`\lVert \bar x \rVert^2 / \overline{\lVert x \rVert^2}`, from 0 to 1. Near 1 all cosines are near 1
            and differences drown: subtract the mean.
        repeated: items whose vector another item has too.
        distinct: different vectors.
        meta: how it was made.
        sha256: hash of the file, ``None`` if it is in memory.
        warnings: sentences on what will hurt.
    """

    name: str
    items: int
    width: int
    present: int
    norms: dict[str, float]
    mean_share: float
    repeated: int
    distinct: int
    meta: dict[str, str]
    sha256: str | None
    warnings: list[str]

    def to_json(self) -> dict[str, Any]:
        """The report as a dictionary of plain values."""
        return asdict(self)


def feature_report(features: Features, file: Path | None = None) -> FeatureReport:
    """Look at a feature matrix, in blocks of rows.

    Example:
        >>> import numpy as np
        >>> both = Features("image", np.array([[3.0, 1], [3, -1]], dtype=np.float32), np.array([True, True]))
        >>> round(feature_report(both).mean_share, 6)
        0.9
    """
    rows = np.flatnonzero(features.present)
    total = np.zeros(features.width)
    norms = np.zeros(len(rows))
    for start in range(0, len(rows), BLOCK):
        block = features.matrix[rows[start : start + BLOCK]].astype(np.float64)
        total += block.sum(axis=0)
        norms[start : start + BLOCK] = np.linalg.norm(block, axis=1)
    power = float(np.square(norms).mean()) if len(rows) else 0.0
    common = float(np.square(total / max(len(rows), 1)).sum())
    facts = feature_facts(features)
    return FeatureReport(
        name=features.name,
        items=len(features.matrix),
        width=features.width,
        present=len(rows),
        norms=_lengths(norms),
        mean_share=common / power if power else 0.0,
        repeated=facts.repeated,
        distinct=facts.distinct,
        meta=dict(features.meta),
        sha256=None if file is None else sha256_of(file),
        warnings=facts.warnings(),
    )


def _lengths(norms: NDArray[np.float64]) -> dict[str, float]:
    if not len(norms):
        return dict.fromkeys(("min", "median", "mean", "max"), 0.0)
    low, median, high = np.quantile(norms, (0.0, 0.5, 1.0))
    return {"min": float(low), "median": float(median), "mean": float(norms.mean()), "max": float(high)}
