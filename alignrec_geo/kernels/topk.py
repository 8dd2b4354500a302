"""The best-scored items per user, with a fixed order among equal scores."""

from collections.abc import Iterator

import torch
from torch import Tensor

from alignrec_geo.kernels.backends import implementation
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.excluded import ExcludedPairs
from alignrec_geo.kernels.matmul import multiply

BLOCK_SCORES = 1 << 23
"""Scores held at once on a CPU: 32 MB of float32."""
UNASKED_BLOCK = 1 << 28
"""Scores held at once on a GPU without asking for its free memory: 1 GB of float32."""
LARGEST_BLOCK = (1 << 31) - 1
"""Scores held at once on a GPU at most: what torch's kernels address with 32 bits."""
SPARE = 8
"""How many more than ``k`` are selected, so that scores that equal the last are seen."""
STABLE = 33
"""From so many on, torch's GPU selection puts equal scores in the order of their columns: nothing has to be done."""
REPAIRED_SCORES = 1 << 24
"""Scores of rows with ties that are worked on at once."""

Ranking = Iterator[tuple[Tensor, Tensor, Tensor]]
"""Blocks of user rows ``[b]``, scores ``[b, k]`` and items ``[b, k]``."""


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
    wide, places = scores.topk(min(max(k + SPARE, STABLE), scores.shape[1]), dim=1)  # [B, m]
    value, column = wide[:, :k].contiguous(), places[:, :k].contiguous()
    swapped = ((wide[:, 1:] == wide[:, :-1]) & (places[:, 1:] < places[:, :-1])).any(dim=1)
    beyond = wide[:, k - 1] == wide[:, -1]  # equals of the last may have been left out
    rows = torch.nonzero(swapped | beyond)[:, 0]
    if len(rows):
        places, order = places[rows].sort(dim=1)
        wide, order = wide[rows].gather(1, order).sort(dim=1, descending=True, stable=True)
        value[rows], column[rows] = wide[:, :k], places.gather(1, order)[:, :k]
        for part in rows[beyond[rows]].split(max(1, REPAIRED_SCORES // scores.shape[1])):
            value[part], column[part] = _lower_first(scores[part], k)
    return value, column


def blocked_top_k(
    users: Tensor, items: Tensor, rows: Tensor, k: int, exclude: CSR | ExcludedPairs | None = None
) -> Ranking:
    """Score ``users[rows]`` against all items in blocks and yield each block's best.

    Args:
        users: ``[U, D]``.
        items: ``[I, D]``.
        rows: which users, ``[n]`` int64; on any device, on which the results come back.
        k: how many items per user.
        exclude: ``[U, I]``, or what was made of it for just these ``rows``; these pairs are scored minus infinity.

    Yields:
        The block's user rows ``[b]``, scores ``[b, k]`` and items ``[b, k]``. Excluded items come last, with ``-inf``.
    """
    rank = implementation("topk", users.device)
    if isinstance(exclude, CSR):
        exclude = ExcludedPairs.of(exclude, rows.to(exclude.matrix.device))
    excluded = None if exclude is None else exclude.to(users.device)
    users, items = users.detach(), items.detach()
    for chosen, scores, columns in rank(users, items, rows.to(users.device), k, excluded):
        yield chosen.to(rows.device), scores.to(rows.device), columns.to(rows.device)


def reference_top_k(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The plain formula of :func:`top_k`: sort everything."""
    value, column = torch.sort(scores, dim=1, descending=True, stable=True)
    return value[:, :k], column[:, :k]


def rank_users(users: Tensor, items: Tensor, rows: Tensor, k: int, excluded: ExcludedPairs | None) -> Ranking:
    """Backend ``torch``: a product and ``torch.topk`` per block, on a GPU in blocks as large as its free memory allows.

    Every backend of ``topk`` has this signature; all tensors are on one device.

    Args:
        users: ``[U, D]``.
        items: ``[I, D]``.
        rows: which users, ``[n]`` int64.
        k: how many.
        excluded: pairs to leave out of the ranking of these users.

    Yields:
        The block's user rows ``[b]``, scores ``[b, k]`` and items ``[b, k]``; at equal scores the lower item first.
    """
    for chosen, scores in score_blocks(users, items, rows, excluded):
        yield chosen, *top_k(scores, k)


def reference_rank_users(users: Tensor, items: Tensor, rows: Tensor, k: int, excluded: ExcludedPairs | None) -> Ranking:
    """Backend ``reference``: sort everything."""
    for chosen, scores in score_blocks(users, items, rows, excluded):
        yield chosen, *reference_top_k(scores, k)


def score_blocks(
    users: Tensor, items: Tensor, rows: Tensor, excluded: ExcludedPairs | None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield blocks of users and their scores, excluded pairs at minus infinity, all in one buffer.

    Args:
        users: ``[U, D]``.
        items: ``[I, D]``.
        rows: which users, ``[n]`` int64.
        excluded: pairs of these users.

    Yields:
        User rows ``[b]`` and scores ``[b, I]``, which hold until the next block.
    """
    buffer = score_buffer(len(rows), len(items), users)
    size = len(buffer)
    for first in range(0, len(rows), max(size, 1)):
        chosen = rows[first : first + size]
        yield chosen, fill_scores(buffer[: len(chosen)], users[chosen], items.T, excluded, first)


def fill_scores(out: Tensor, users: Tensor, items: Tensor, excluded: ExcludedPairs | None, first: int) -> Tensor:
    """Return the scores of some users, excluded pairs at minus infinity.

    Args:
        out: ``[b, I]``, contiguous; where they are written, unless the backend of ``matmul`` makes a new tensor.
        users: ``[b, D]``.
        items: ``[D, I]``.
        excluded: pairs of all users that are ranked.
        first: the place of the first of these users among them.
    """
    out = multiply(users, items, out)
    if excluded is not None:
        place, item = excluded.block(first, first + len(out))
        out.view(-1).index_fill_(0, place * out.shape[1] + item, -torch.inf)
    return out


def score_buffer(rows: int, columns: int, like: Tensor) -> Tensor:
    """Room for the scores of as many of ``rows`` users as are worked on at once, in the type and place of ``like``.

    A fixed amount on a CPU. On a GPU everything, up to a number that takes a small part of its memory: asking how much
    is free costs as much as ranking a thousand users. Beyond that, or where it does not fit, half of what is free.
    """
    if not like.is_cuda:
        return like.new_empty(min(rows, _rows_of(BLOCK_SCORES, columns)), columns)
    if rows * columns <= UNASKED_BLOCK:
        try:
            return like.new_empty(rows, columns)
        except torch.cuda.OutOfMemoryError:
            pass
    free, _ = torch.cuda.mem_get_info(like.device)
    kept = torch.cuda.memory_reserved(like.device) - torch.cuda.memory_allocated(like.device)
    scores = min(LARGEST_BLOCK, (free + kept) // (2 * like.element_size()))
    return like.new_empty(min(rows, _rows_of(scores, columns)), columns)


def _rows_of(scores: int, columns: int) -> int:
    return max(1, scores // max(columns, 1))


def _lower_first(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The ``k`` best of rows with ties, the lower column first: all above the border, then those equal to it."""
    border = scores.topk(k, dim=1).values[:, -1:]
    above, equal = scores > border, scores == border
    kept = above | (equal & (equal.cumsum(dim=1) <= k - above.sum(dim=1, keepdim=True)))
    column = kept.nonzero()[:, 1].view(-1, k)
    value, order = scores.gather(1, column).sort(dim=1, descending=True, stable=True)
    return value, column.gather(1, order)
