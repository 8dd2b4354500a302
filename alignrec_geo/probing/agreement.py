"""Do items that are alike in content also occur together?"""

import torch
from torch import Tensor

from alignrec_geo.kernels.topk import top_k

BLOCK_SCORES = 1 << 23
"""Entries of the items×items product held at once: 32 MB of float32."""


def co_interaction_neighbours(pairs: Tensor, n_users: int, n_items: int, k: int = 10) -> tuple[Tensor, Tensor]:
    r"""Return every item's ``k`` most similar other items by who has them: the cosine of the columns of :math:`R`.

    Args:
        pairs: unique training pairs, ``[2, E]`` (row 0 users, row 1 items).
        n_users: ``U``.
        n_items: ``I``.
        k: neighbours per item.

    Returns:
        Neighbours ``[I, k]``, and which of them have a user in common with the item, ``[I, k]`` bool.
    """
    user, item = pairs
    degree = torch.bincount(item, minlength=n_items).clamp(min=1).double()
    weight = degree[item].rsqrt().float()
    columns = torch.sparse_coo_tensor(pairs, weight, (n_users, n_items), check_invariants=False).coalesce()
    neighbours, real = [], []
    for block in torch.arange(n_items).split(max(1, BLOCK_SCORES // max(n_items, 1))):
        first, last = int(block[0]), int(block[-1]) + 1
        inside = (item >= first) & (item < last)
        rows = torch.sparse_coo_tensor(
            torch.stack([item[inside] - first, user[inside]]),
            weight[inside],
            (len(block), n_users),
            check_invariants=False,
        )
        cosine = torch.sparse.mm(rows, columns).to_dense()  # [b, I]
        cosine[torch.arange(len(block)), block] = 0.0
        value, neighbour = top_k(cosine, k)
        neighbours.append(neighbour)
        real.append(value > 0)
    return torch.cat(neighbours), torch.cat(real)


def agreement(content_neighbour: Tensor, pairs: Tensor, n_users: int, n_items: int, k: int = 10) -> float:
    r"""Return the share of content neighbours that are co-interaction neighbours too.

    Averaged over the items that share a user with another item; an item that has only :math:`c < k` such neighbours
    can reach 1 with these :math:`c`.

    Args:
        content_neighbour: ``[I, k]``, self excluded (see :func:`alignrec_geo.probing.item_cf.item_neighbours`).
        pairs: unique training pairs, ``[2, E]``.
        n_users: ``U``.
        n_items: ``I``.
        k: neighbours per item by interactions.

    Returns:
        A number in [0, 1]; NaN if no two items share a user.
    """
    neighbour, real = co_interaction_neighbours(pairs, n_users, n_items, k)
    base = n_items + 1
    row = torch.arange(n_items)[:, None]
    wanted = (row * base + torch.where(real, neighbour, n_items)).flatten()
    found = torch.isin(row * base + content_neighbour, wanted).sum(dim=1)
    possible = real.sum(dim=1).clamp(max=content_neighbour.shape[1])
    counted = possible > 0
    return float((found[counted] / possible[counted]).mean())
