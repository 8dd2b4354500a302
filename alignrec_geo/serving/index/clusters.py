"""Item vectors cut into lists around centres."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alignrec_geo.serving.index.package import load_faiss
from alignrec_geo.typing import Int64

ROUNDS = 6
"""Rounds of k-means."""
PER_CENTRE = 50
"""Vectors that k-means sees for each centre at most."""
BLOCK = 1 << 15


@dataclass(frozen=True)
class Clusters:
    """Which list every item belongs to.

    Args:
        centres: mean vector of each list, ``[L, D]`` float32.
        list_of: ``[n]`` int64.
    """

    centres: NDArray[np.float32]
    list_of: Int64


def list_count(n: int) -> int:
    r"""How many lists a table of ``n`` items is cut into: about :math:`4 \sqrt n`, none too small to have a mean.

    Example:
        >>> list_count(1_000_000), list_count(200_000), list_count(10)
        (4000, 1789, 1)
    """
    return int(max(1, min(round(4 * n**0.5), n // 8)))


def cluster(vectors: NDArray[np.float32], lists: int, seed: int = 0) -> Clusters:
    r"""Cut vectors into lists by k-means on Euclidean distance.

    Scores are inner products, yet directions alone (the spherical k-means that faiss takes for them) make poor lists of
    a trained table, where popular items are long: a list of one direction then holds few items that anybody gets, and
    many that nobody does. By distance, long and short vectors come into different lists; ordered by the product of a
    user with their means, the lists that hold the best items are looked through first.

    Args:
        vectors: ``[n, D]``.
        lists: how many; empty ones are dropped.
        seed: of the first centres.

    Raises:
        InputError: faiss is not installed.
    """
    faiss = load_faiss()
    n, dim = vectors.shape
    means = faiss.Kmeans(
        dim, lists, niter=ROUNDS, seed=seed + 1, min_points_per_centroid=1, max_points_per_centroid=PER_CENTRE
    )
    means.train(vectors)
    list_of = np.empty(n, dtype=np.int64)
    for first in range(0, n, BLOCK):
        list_of[first : first + BLOCK] = means.index.search(vectors[first : first + BLOCK], 1)[1][:, 0]
    # lists without members are dropped, and what is looked up is each list's own mean
    kept, list_of = np.unique(list_of, return_inverse=True)
    order = np.argsort(list_of, kind="stable")
    starts = np.searchsorted(list_of[order], np.arange(len(kept)))
    sums = np.add.reduceat(vectors[order].astype(np.float64), starts, axis=0)
    counts = np.bincount(list_of, minlength=len(kept))
    return Clusters((sums / counts[:, None]).astype(np.float32), list_of.astype(np.int64))
