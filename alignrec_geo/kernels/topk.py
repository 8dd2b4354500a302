"""The best-scored items per user, with a fixed order among equal scores."""

from collections.abc import Iterator

import torch
from torch import Tensor

from alignrec_geo.kernels.backends import implementation
from alignrec_geo.kernels.csr import CSR

BLOCK_SCORES = 1 << 23
"""Scores held at once by :func:`blocked_top_k`: 32 MB of float32."""


def top_k(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the ``k`` best scores of every row and their columns; among equal scores the lower column comes first.

    ``torch.topk`` leaves the order of equal scores open, and which of them it keeps at the border; both are fixed here.

    Args:
        scores: ``[B, I]``, no NaN.
        k: how many; all ``I`` if there are fewer.

    Returns:
        Values ``[B, k]``, sorted downwards, and columns ``[B, k]``.

    Example:
        >>> import torch
        >>> top_k(torch.tensor([[1.0, 3.0, 3.0, 2.0]]), 2)[1].tolist()
        [[1, 2]]
    """
    k = min(k, scores.shape[1])
    if k == scores.shape[1]:
        return torch.sort(scores, dim=1, descending=True, stable=True)
    value, column = scores.topk(k + 1, dim=1)
    tied = torch.nonzero(value[:, k - 1] == value[:, k])[:, 0]
    value, column = value[:, :k].contiguous(), column[:, :k].contiguous()
    if len(tied):
        rows, border = scores[tied], value[tied, k - 1 :]
        above, equal = rows > border, rows == border
        kept = above | (equal & (equal.cumsum(dim=1) <= k - above.sum(dim=1, keepdim=True)))
        column[tied] = kept.nonzero()[:, 1].view(-1, k)
        value[tied] = rows.gather(1, column[tied])
    column, order = column.sort(dim=1)
    value, order = value.gather(1, order).sort(dim=1, descending=True, stable=True)
    return value, column.gather(1, order)


def blocked_top_k(
    users: Tensor, items: Tensor, rows: Tensor, k: int, exclude: CSR | None = None
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Score ``users[rows]`` against all items in blocks and yield each block's best.

    Args:
        users: ``[U, D]``.
        items: ``[I, D]``.
        rows: which users, ``[n]`` int64; like ``exclude`` on any device, on which the results come back.
        k: how many items per user.
        exclude: ``[U, I]``; stored entries are scored minus infinity.

    Yields:
        The block's user rows ``[b]``, scores ``[b, k]`` and items ``[b, k]``. Excluded items come last, with ``-inf``.
    """
    best = implementation("topk", users.device)
    for chosen in rows.split(max(1, BLOCK_SCORES // max(len(items), 1))):
        entries = None if exclude is None else exclude.entries(chosen)
        seen = None if entries is None else (entries[0].to(users.device), entries[1].to(users.device))
        scores, best_columns = best(users[chosen.to(users.device)], items, k, seen)
        yield chosen, scores.to(rows.device), best_columns.to(rows.device)


def reference_top_k(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The plain formula of :func:`top_k`: sort everything."""
    value, column = torch.sort(scores, dim=1, descending=True, stable=True)
    return value[:, :k], column[:, :k]


def best_items(users: Tensor, items: Tensor, k: int, seen: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor]:
    """Backend ``torch``: one block of scores, seen entries out, :func:`top_k`.

    Every backend of ``topk`` has this signature.

    Args:
        users: ``[b, D]``.
        items: ``[I, D]``.
        k: how many.
        seen: row within the block and item of every excluded pair, ``[s]`` int64 each, sorted by row; or ``None``.

    Returns:
        Scores ``[b, k]`` and items ``[b, k]``; at equal scores the lower item first.
    """
    scores = users @ items.T  # [b, I]
    if seen is not None:
        scores[seen] = -torch.inf
    return top_k(scores, k)


def reference_best_items(
    users: Tensor, items: Tensor, k: int, seen: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, Tensor]:
    """Backend ``reference``: sort everything."""
    scores = users @ items.T
    if seen is not None:
        scores[seen] = -torch.inf
    return reference_top_k(scores, min(k, len(items)))
