"""Repeated ids of a batch: one row stands for all of them."""

from typing import NamedTuple

import torch
from torch import Tensor

from alignrec_geo.kernels.fixed_shapes import fixed_shapes
from alignrec_geo.kernels.gather import gather_rows
from alignrec_geo.kernels.opaque import opaque


class Unique(NamedTuple):
    """The distinct ids of a batch.

    Args:
        index: position of each distinct id's first occurrence, ``[n]`` int64.
        counts: how often it occurs, ``[n]`` int64.
    """

    index: Tensor  # type: ignore[assignment]  # tuple.index is not needed here
    counts: Tensor


class EveryRow(Unique):
    """A batch taken as it is, every row once: nothing need be weighed."""


class Distinct(NamedTuple):
    """The distinct ids of a batch, and where each of the batch's rows finds its id among them.

    Args:
        ids: ``[n]`` int64, sorted; on a GPU the batch as it is.
        place: ``[B]`` int64; ``None`` where ``ids`` is the batch as it is.
        counts: how often each of ``ids`` counts, ``[n]`` int64.
    """

    ids: Tensor
    place: Tensor | None
    counts: Tensor

    def spread(self, rows: Tensor) -> Tensor:
        """Rows per distinct id, ``[n, D]``, brought to the batch, ``[B, D]``."""
        return rows if self.place is None else gather_rows(rows, self.place)

    def places(self) -> Tensor:
        """Where each of the batch's rows finds its id, ``[B]``."""
        return torch.arange(len(self.ids), device=self.ids.device) if self.place is None else self.place


@opaque
def unique_with_counts(ids: Tensor, counted: Tensor | None = None) -> Unique:
    """Return where each distinct id first occurs and how often, in the order of the ids.

    Losses that treat equal rows alike need each row once, with its count as a weight: fewer rows, the same value. Where
    shapes are fixed (see :func:`~alignrec_geo.kernels.fixed_shapes.fixed_shapes`) every row stands for itself, and one
    that does not count occurs 0 times.

    Args:
        ids: ``[B]`` int64.
        counted: ``[B]`` bool, which rows count, the same for equal ids; ``None`` for all.

    Example:
        >>> import torch
        >>> unique_with_counts(torch.tensor([7, 3, 7]))
        Unique(index=tensor([1, 0]), counts=tensor([1, 2]))
    """
    if fixed_shapes(ids.device):
        every = torch.arange(len(ids), device=ids.device)
        return EveryRow(every, torch.ones_like(ids)) if counted is None else Unique(every, counted.long())
    ordered, order = torch.sort(ids, stable=True)
    _, count = torch.unique_consecutive(ordered, return_counts=True)
    first = order[count.cumsum(0) - count]
    return Unique(first, count) if counted is None else keep_counted(Unique(first, count), counted[first])


def keep_counted(repeats: Unique, counted: Tensor) -> Unique:
    """Leave out the ids that do not count; where shapes are fixed they stay, and occur 0 times.

    Args:
        repeats: ``n`` ids.
        counted: ``[n]`` bool.
    """
    if fixed_shapes(counted.device):
        return Unique(repeats.index, repeats.counts * counted)
    return Unique(repeats.index[counted], repeats.counts[counted])


def take_first(rows: Tensor, repeats: Unique) -> Tensor:
    """Return the rows of the distinct ids, ``[n, D]`` of ``[B, D]``; where shapes are fixed these are all rows."""
    return rows if fixed_shapes(rows.device) else gather_rows(rows, repeats.index)


def take_first_ids(ids: Tensor, repeats: Unique) -> Tensor:
    """Return the distinct ids, ``[n]`` of ``[B]``; where shapes are fixed these are all."""
    return ids if fixed_shapes(ids.device) else ids[repeats.index]


def weight_of(repeats: Unique) -> Tensor | None:
    """Return how often each id occurs, ``[n]``; ``None`` if every row stands for itself."""
    return None if isinstance(repeats, EveryRow) else repeats.counts


@opaque
def distinct(ids: Tensor) -> Distinct:
    """Return the distinct ids of a batch, so that what depends on the id alone is computed once.

    Args:
        ids: ``[B]`` int64.

    Example:
        >>> import torch
        >>> found = distinct(torch.tensor([7, 3, 7]))
        >>> found.ids.tolist(), found.place.tolist(), found.counts.tolist()
        ([3, 7], [1, 0, 1], [1, 2])
    """
    if fixed_shapes(ids.device):
        return Distinct(ids, None, torch.ones_like(ids))
    unique, place, counts = torch.unique(ids, return_inverse=True, return_counts=True)
    return Distinct(unique, place, counts)


def first_occurrence(ids: Tensor) -> Tensor:
    """Return for each row the position of the first row with the same id, ``[B]``, in a fixed shape.

    Args:
        ids: ``[B]`` int64.

    Example:
        >>> import torch
        >>> first_occurrence(torch.tensor([7, 3, 7])).tolist()
        [0, 1, 0]
    """
    ordered, order = torch.sort(ids, stable=True)
    begins = torch.ones_like(ordered, dtype=torch.bool)
    begins[1:] = ordered[1:] != ordered[:-1]
    number = torch.arange(len(ids), device=ids.device)
    start = torch.where(begins, number, 0).cummax(0).values  # where each row's run of equal ids begins
    return torch.empty_like(order).scatter_(0, order, order.index_select(0, start))
