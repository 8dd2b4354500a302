"""Take out what all vectors have in common, and even out the directions that are left."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from alignrec_geo.errors import InputError

BLOCK = 1 << 14
"""Rows that are in memory in float64 at a time."""
SAME = 1e-6
"""Vectors count as all the same if no number differs by more, as a share of the largest."""


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
        return ((vectors.to(self.mean.dtype) - self.mean) @ self.matrix).to(vectors.dtype)

    @classmethod
    def fit(cls, vectors: Tensor, shrink: float = 0.1, dtype: torch.dtype = torch.float32) -> Self:
        """Fit to the vectors of all items, in float64; they are read in blocks of rows.

        Args:
            vectors: ``[N, D]``.
            shrink: s, above 0.
            dtype: in which mean and matrix are kept, and vectors transformed.

        Raises:
            InputError: ``shrink`` is not above 0, or there is no vector.
        """
        check_shrink(shrink)
        if len(vectors) == 0:
            raise InputError("whitening needs at least one vector (got none)")
        blocks = vectors.split(BLOCK)
        mean = torch.stack([block.double().sum(dim=0) for block in blocks]).sum(dim=0) / len(vectors)
        covariance = torch.zeros(vectors.shape[1], vectors.shape[1], dtype=torch.float64, device=vectors.device)
        for block in blocks:
            offset = block.double() - mean
            covariance.addmm_(offset.T, offset)
        variance, directions = torch.linalg.eigh(covariance / len(vectors))
        largest = variance.max().clamp_min(torch.finfo(torch.float32).tiny)
        scale = (variance.clamp_min(0.0) + shrink * largest).rsqrt()
        return cls(mean.to(dtype), (directions * scale).to(dtype).contiguous())

    def tensors(self) -> dict[str, Tensor]:
        """What is stored with an encoder."""
        return {"whitening.mean": self.mean, "whitening.matrix": self.matrix}

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> Self | None:
        """What :meth:`tensors` gave, or ``None`` if the encoder does not whiten."""
        if "whitening.mean" not in tensors:
            return None
        return cls(tensors["whitening.mean"], tensors["whitening.matrix"])


def check_shrink(shrink: float) -> None:
    """Refuse a shrinkage that whitening cannot have.

    Raises:
        InputError: it is not above 0.
    """
    if not 0.0 < shrink < math.inf:
        raise InputError(f"the shrinkage of whitening must be a number above 0 (got {shrink})")


def all_alike(vectors: Tensor) -> bool:
    """Whether all vectors ``[n, D]`` are the same, or there is none: nothing can be whitened."""
    return len(vectors) == 0 or bool((vectors - vectors[:1]).abs().max() <= SAME * vectors.abs().max())
