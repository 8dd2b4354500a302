"""Item-based collaborative filtering whose similarity is the content's."""

from collections.abc import Iterator

import torch
from torch import Tensor

from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.knn import cosine_knn
from alignrec_geo.kernels.topk import top_k

BLOCK_SCORES = 1 << 23
"""Scores held at once: 32 MB of float32."""


def item_neighbours(content: Tensor, k: int = 10) -> tuple[Tensor, Tensor]:
    """Return every item's ``k`` most similar *other* items by the cosine of their content.

    Args:
        content: ``[I, D]``, no zero rows.
        k: neighbours per item.

    Returns:
        Similarities ``[I, k]`` and neighbours ``[I, k]``; fewer columns where there are fewer other items.
    """
    similarity, neighbour = cosine_knn(content, k + 1)
    own = neighbour == torch.arange(len(content), device=content.device)[:, None]
    # among equal rows the item itself may not be one of its first k + 1: then the last one goes
    own[:, -1] |= ~own.any(dim=1)
    kept = ~own
    width = neighbour.shape[1] - 1
    return similarity[kept].view(-1, width), neighbour[kept].view(-1, width)


def item_cf_ranking(
    history: CSR, exclude: CSR, similarity: Tensor, neighbour: Tensor, users: Tensor, k: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    r"""Rank all items for some users by :math:`R S`, with :math:`S` the items' kept similarities, in blocks of users.

    Args:
        history: training pairs :math:`R`, ``[U, I]``.
        exclude: pairs that are left out of the ranking, ``[U, I]``.
        similarity: of every item's neighbours, ``[I, k']``.
        neighbour: ``[I, k']``.
        users: which users, ``[n]`` int64.
        k: how many items per user.

    Yields:
        The block's user rows ``[b]``, scores ``[b, k]`` and items ``[b, k]``; items out of reach score 0.
    """
    n_items = history.shape[1]
    centre = torch.arange(n_items)[:, None].expand_as(neighbour)
    graph = _coo(centre.flatten(), neighbour.flatten(), similarity.flatten(), (n_items, n_items))
    for chosen in users.split(max(1, BLOCK_SCORES // max(n_items, 1))):
        row, item = history.entries(chosen)
        block = _coo(row, item, torch.ones(len(row)), (len(chosen), n_items))
        scores = torch.sparse.mm(block, graph).to_dense()
        scores[exclude.entries(chosen)] = -torch.inf
        best, items = top_k(scores, k)
        yield chosen, best, items


def _coo(row: Tensor, col: Tensor, value: Tensor, shape: tuple[int, int]) -> Tensor:
    return torch.sparse_coo_tensor(torch.stack([row, col]), value, shape, check_invariants=False).coalesce()
