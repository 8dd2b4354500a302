"""Take out what all vectors have in common, and even out the directions that are left."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from alignrec_geo.errors import InputError


@dataclass(frozen=True)
class Whitening:
    r"""Centring and shrunk PCA-whitening of item vectors.

    Vectors of an encoder share a large common direction, and few directions hold most of their variance; cosines then
    hardly tell items apart. With mean :math:`\mu` and covariance :math:`V \Lambda V^\top`,

    .. math:: x' = (x - \mu)\, V (\Lambda + s\, \lambda_{max} I)^{-1/2}

    ``s`` keeps directions of little variance, which are mostly noise, from being blown up.
    See `"Whitening Sentence Representations" <https://arxiv.org/abs/2103.15316>`_.

    Args:
        mean: μ, ``[D]``.
        matrix: ``[D, D]``.

    Example:
        >>> x = torch.tensor([[0.0, 10.0], [4.0, 11.0], [0.0, 10.0], [4.0, 11.0]])
        >>> Whitening.fit(x, shrink=0.1)(x).mean(dim=0).abs().max() < 1e-6
        tensor(True)
    """

    mean: Tensor
    matrix: Tensor

    def __call__(self, vectors: Tensor) -> Tensor:
        """Transform ``[n, D]``."""
        return (vectors - self.mean) @ self.matrix

    @classmethod
    def fit(cls, vectors: Tensor, shrink: float = 0.1) -> Self:
        """Fit to the vectors of all items, in float64.

        Args:
            vectors: ``[N, D]``.
            shrink: s, above 0.

        Raises:
            InputError: ``shrink`` is not above 0, or there is no vector.
        """
        if shrink <= 0.0:
            raise InputError(f"the shrinkage of whitening must be above 0 (got {shrink})")
        if len(vectors) == 0:
            raise InputError("whitening needs at least one vector (got none)")
        rows = vectors.double()
        mean = rows.mean(dim=0)
        variance, directions = torch.linalg.eigh((rows - mean).T @ (rows - mean) / len(rows))
        largest = variance.max().clamp_min(torch.finfo(torch.float32).tiny)
        scale = (variance.clamp_min(0.0) + shrink * largest).rsqrt()
        return cls(mean.float(), (directions * scale).float().contiguous())

    def tensors(self) -> dict[str, Tensor]:
        """What is stored with an encoder."""
        return {"whitening.mean": self.mean, "whitening.matrix": self.matrix}

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> Self | None:
        """What :meth:`tensors` gave, or ``None`` if the encoder does not whiten."""
        if "whitening.mean" not in tensors:
            return None
        return cls(tensors["whitening.mean"], tensors["whitening.matrix"])
