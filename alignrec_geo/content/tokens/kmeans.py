"""Mini-batch k-means over vectors that need not fit in memory."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alignrec_geo.errors import InputError

BATCH = 4096
SEED_SAMPLE = 16
"""Vectors per centre in the sample from which the first centres are drawn."""
RESEED_EVERY = 20
IDLE_SHARE = 0.01
"""A centre that takes less than this share of its due moves elsewhere."""
BLOCK = 1 << 22
"""Distances held at once by :func:`nearest_centres`: 16 MB of float32."""


def nearest_centres(vectors: Tensor, centres: Tensor) -> Tensor:
    """The nearest centre of every vector by Euclidean distance, in blocks of rows.

    Args:
        vectors: ``[n, C]``.
        centres: ``[K, C]``.

    Returns:
        ``[n]`` int64; the lower number wins a tie.

    Example:
        >>> import torch
        >>> nearest_centres(torch.tensor([[0.1], [0.9]]), torch.tensor([[0.0], [1.0]])).tolist()
        [0, 1]
    """
    half = centres.square().sum(dim=1) / 2
    rows = max(1, BLOCK // len(centres))
    return torch.cat([(half - block @ centres.T).argmin(dim=1) for block in vectors.split(rows)])


def mini_batch_kmeans(
    vectors: NDArray[np.floating], k: int, generator: torch.Generator, steps: int = 200, batch: int = BATCH
) -> Tensor:
    r"""Fit ``k`` centres by `mini-batch k-means <https://doi.org/10.1145/1772690.1772862>`_ (Sculley, 2010).

    The first centres are drawn as in `k-means++ <https://dl.acm.org/doi/10.5555/1283383.1283494>`_, each with a chance
    proportional to the squared distance to those before it, from a sample. Then, step by step, a batch is drawn, every
    vector goes to its nearest centre, and a centre moves to the mean of all it has been given so far:

    .. math:: c_j \leftarrow c_j + \frac{1}{n_j} \sum_{x \to j} (x - c_j), \qquad n_j \leftarrow n_j + |\{x \to j\}|.

    In the first half of the steps a centre that takes next to nothing moves to a vector of the batch, drawn
    by its squared distance to its centre.

    Args:
        vectors: ``[n, C]``, a memory-mapped array for example; only the rows of a batch are read.
        k: number of centres.
        generator: draws the sample, the first centres and the batches.
        steps: number of batches.
        batch: vectors per step.

    Returns:
        Centres, ``[k, C]`` float32.

    Raises:
        InputError: there are fewer vectors than centres.
    """
    if len(vectors) < k:
        raise InputError(f"{k} centres need at least as many vectors (got {len(vectors)})")
    sample = torch.randperm(len(vectors), generator=generator)[: SEED_SAMPLE * k]
    centres = _spread(_rows(vectors, sample), k, generator)
    given = torch.zeros(k)  # vectors each centre has been given
    recent = torch.zeros(k)
    for step in range(1, steps + 1):
        drawn = _rows(vectors, torch.randint(len(vectors), (batch,), generator=generator))
        code = nearest_centres(drawn, centres)
        counts = torch.bincount(code, minlength=k).float()
        given += counts
        recent += counts
        summed = torch.zeros_like(centres).index_add_(0, code, drawn)
        centres += (summed - counts[:, None] * centres) / given.clamp(min=1)[:, None]
        if step % RESEED_EVERY == 0 and step <= steps // 2:
            idle = torch.nonzero(recent < IDLE_SHARE * recent.mean())[:, 0]
            distance = (drawn - centres[code]).square().sum(dim=1)
            idle = idle[: int((distance > 0).sum())]
            if len(idle):
                centres[idle] = drawn[torch.multinomial(distance, len(idle), generator=generator)]
            given[idle] = 0
            recent.zero_()
    return centres


def _rows(vectors: NDArray[np.floating], rows: Tensor) -> Tensor:
    return torch.from_numpy(vectors[rows.sort().values.numpy()].astype(np.float32))


def _spread(sample: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """First centres by k-means++; once every vector is a centre, the rest are drawn evenly."""
    chosen = [int(torch.randint(len(sample), (1,), generator=generator))]
    nearest = (sample - sample[chosen[0]]).square().sum(dim=1)
    for _ in range(k - 1):
        weight = nearest if float(nearest.sum()) > 0 else torch.ones_like(nearest)
        chosen.append(int(torch.multinomial(weight, 1, generator=generator)))
        nearest = torch.minimum(nearest, (sample - sample[chosen[-1]]).square().sum(dim=1))
    return sample[chosen].clone()
