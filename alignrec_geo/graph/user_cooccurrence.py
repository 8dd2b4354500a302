"""The user-user graph of items in common."""

from typing import NamedTuple

import torch
from torch import Tensor

from alignrec_geo.kernels.ranges import check_rows

BLOCK_ENTRIES = 1 << 22
"""Entries of the users×users product that exist at a time, unless one user alone has more."""


class CommonItems(NamedTuple):
    """Every user's closest users, by the number of items in common."""

    user: Tensor
    """``[E]`` int64, ascending."""
    neighbour: Tensor
    """``[E]`` int64; within a user by ``shared`` downwards, then by number upwards."""
    shared: Tensor
    """``[E]`` int64, items in common, at least 1."""


def user_cooccurrence(edge_index: Tensor, n_users: int, n_items: int, k: int = 200) -> CommonItems:
    r"""Return for every user the ``k`` other users with the most items in common.

    The counts are the entries of :math:`R R^\top` with :math:`R` the 0/1 matrix of the pairs. It is computed as a
    sparse product in blocks of rows, of which only the best ``k`` entries per row stay.

    Args:
        edge_index: unique user-item pairs, ``[2, E]`` (row 0 users, row 1 items).
        n_users: ``U``.
        n_items: ``I``.
        k: most neighbours per user; fewer where fewer share an item, none for a user without a pair.

    Raises:
        InputError: a pair names a user or an item that does not exist.

    Example:
        >>> pairs = torch.tensor([[0, 0, 1, 1, 2], [0, 1, 0, 1, 1]])
        >>> common = user_cooccurrence(pairs, n_users=3, n_items=2, k=1)
        >>> list(zip(*(part.tolist() for part in common)))
        [(0, 1, 2), (1, 0, 2), (2, 0, 1)]
    """
    user, item = edge_index
    check_rows(user, n_users, "user")
    check_rows(item, n_items, "item")
    order = torch.argsort(user)
    user, item = user[order], item[order]
    transposed = _ones(item, user, (n_items, n_users))
    start = torch.cat([user.new_zeros(1), torch.bincount(user, minlength=n_users).cumsum(0)])  # [U + 1]
    parts = [CommonItems(*user.new_empty(3, 0))]
    for first, last in _blocks(user, item, n_users, n_items):
        rows = slice(int(start[first]), int(start[last]))
        block = _ones(user[rows] - first, item[rows], (last - first, n_items))
        parts.append(_best(torch.sparse.mm(block, transposed), first, k))
    return CommonItems(*(torch.cat(columns) for columns in zip(*parts, strict=True)))


def _ones(row: Tensor, col: Tensor, shape: tuple[int, int]) -> Tensor:
    matrix = torch.sparse_coo_tensor(torch.stack([row, col]), torch.ones(len(row)), shape, check_invariants=False)
    return matrix.coalesce()


def _blocks(user: Tensor, item: Tensor, n_users: int, n_items: int) -> list[tuple[int, int]]:
    """Ranges of users whose rows of the product have at most about :data:`BLOCK_ENTRIES` entries together."""
    reach = torch.bincount(item, minlength=n_items)[item]  # users who have the item of each pair
    bound = reach.new_zeros(n_users).index_add_(0, user, reach).clamp_(max=n_users).cumsum(0)
    block = torch.div(bound, BLOCK_ENTRIES, rounding_mode="floor")
    _, sizes = torch.unique_consecutive(block, return_counts=True)
    last = sizes.cumsum(0)
    return list(zip((last - sizes).tolist(), last.tolist(), strict=True))


def _best(product: Tensor, first: int, k: int) -> CommonItems:
    """The best ``k`` entries of every row of a block whose first row is user ``first``, the diagonal left out."""
    product = product.coalesce()
    row, neighbour = product.indices()
    count = product.values().long()
    # most users share one item only: of them no more than the row's first k can stay, so the others need no sorting
    other = row + first != neighbour
    single = other & (count == 1)
    kept = other & (~single | (_place_in_row(row, product.shape[0], single) < k))
    row, neighbour, count = row[kept], neighbour[kept], count[kept]
    # entries come sorted by row and column, and a stable sort keeps that order among equal counts
    span = count.max() + 1 if len(count) else count.new_ones(())
    order = torch.argsort(row * span - count, stable=True)
    row, neighbour, count = row[order], neighbour[order], count[order]
    kept = _place_in_row(row, product.shape[0], torch.ones_like(row, dtype=torch.bool)) < k
    return CommonItems(row[kept] + first, neighbour[kept], count[kept])


def _place_in_row(row: Tensor, n_rows: int, counted: Tensor) -> Tensor:
    """How many ``counted`` entries stand before each entry in its row; ``row`` is sorted."""
    before = torch.cat([counted.new_zeros(1, dtype=torch.long), counted.cumsum(0)])  # [E + 1]
    start = torch.searchsorted(row, torch.arange(n_rows, device=row.device))  # [n_rows]
    return before[:-1] - before[start][row]


def draw_slot_weights(common: CommonItems, n_users: int, slots: int, generator: torch.Generator) -> Tensor:
    r"""Return the weight of every pair of ``common`` when each user has ``slots`` places for neighbours.

    A user with fewer neighbours fills the places that are left one after the other, each with a copy of a place filled
    before, drawn uniformly. The places are weighted by the softmax of their counts, so a neighbour that holds
    :math:`m_{uv}` places gets

    .. math::
        a_{uv} = \frac{m_{uv} \exp(c_{uv})}{\sum_{v'} m_{uv'} \exp(c_{uv'})}

    Args:
        common: neighbours, at most ``slots`` per user.
        n_users: ``U``.
        slots: places per user.
        generator: the source of randomness.

    Returns:
        ``[E]``; sums to one over every user who has neighbours.
    """
    length = torch.bincount(common.user, minlength=n_users)  # [U]
    start = length.cumsum(0) - length
    short = torch.nonzero((length > 0) & (length < slots))[:, 0]
    holder = torch.arange(slots).repeat(len(short), 1)  # which neighbour holds each place, [short, slots]
    chance = torch.rand(len(short), slots, generator=generator, dtype=torch.float64)
    for place in range(1, slots):
        copied = holder.gather(1, (chance[:, place, None] * place).long())[:, 0]
        holder[:, place] = torch.where(place < length[short], holder[:, place], copied)
    held = torch.bincount((start[short, None] + holder).flatten(), minlength=len(common.user))
    held = torch.where(length[common.user] < slots, held, 1)
    most = common.shared[start[common.user]]  # the first neighbour of a user has the most
    share = held * torch.exp((common.shared - most).double())
    total = share.new_zeros(n_users).index_add_(0, common.user, share)
    return (share / total[common.user]).float()
