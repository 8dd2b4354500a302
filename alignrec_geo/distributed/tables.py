"""Tables of which a rank holds some columns: how they are made, drawn and recognised."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn

from alignrec_geo.distributed.group import current
from alignrec_geo.errors import InputError

DRAWN = 1 << 20
"""Numbers that are drawn at a time where a rank keeps some columns; a multiple of 16, by which torch draws normals."""
_MARK = "columns_of"
Table = TypeVar("Table", bound=Tensor)


def column_table(rows: int, columns: int, setting: str = "dim") -> nn.Parameter:
    """Return a table that is not drawn yet: all columns, or on many ranks those of this one.

    Args:
        rows: ``N``.
        columns: ``d``, which the number of ranks must divide.
        setting: name of the setting that says ``d``, for the message.

    Raises:
        InputError: the ranks cannot have as many columns each.

    Example:
        >>> column_table(3, 4).shape
        torch.Size([3, 4])
    """
    group = current()
    if group is None:
        return nn.Parameter(torch.empty(rows, columns))
    check_even(columns, group.size, setting)
    return marked(nn.Parameter(torch.empty(rows, group.share(columns).size)), columns)


def check_even(columns: int, ranks: int, setting: str = "dim") -> None:
    """Check that ranks can have as many columns each.

    Raises:
        InputError: they cannot; says what would do.
    """
    if columns % ranks:
        fit = [str(size) for size in range(1, 2 * ranks) if columns % size == 0]
        raise InputError(
            f"{setting}={columns} columns cannot be dealt evenly to {ranks} ranks; ranks=… may be {', '.join(fit)}"
        )


def column_parameter(whole: Tensor, trainable: bool) -> nn.Parameter:
    """Make a parameter of a matrix that every rank has, ``[n, W]``; on many ranks of this one's columns."""
    own = nn.Parameter(own_part(whole), requires_grad=trainable)
    return own if current() is None else marked(own, whole.shape[1])


def own_part(whole: Tensor) -> Tensor:
    """A copy of this rank's columns of a matrix, ``[n, W]``, that every rank has; itself where there are no others."""
    group = current()
    if group is None:
        return whole
    return marked(whole[:, group.share(whole.shape[1]).slice].clone(), whole.shape[1])


def marked(own: Table, whole: int) -> Table:
    """Note on a tensor of how many columns it holds this rank's."""
    setattr(own, _MARK, whole)
    return own


def unmark(table: Tensor) -> None:
    """Note that a table is whole again."""
    delattr(table, _MARK)


def whole_width(table: Tensor) -> int:
    """The number of all columns of a table; its own where they do not lie apart."""
    return int(getattr(table, _MARK, table.shape[-1]))


def whole_count(table: Tensor) -> int:
    """How many numbers all columns of a table are."""
    return table.numel() // max(table.shape[-1], 1) * whole_width(table) if lies_apart(table) else table.numel()


def lies_apart(table: Tensor) -> bool:
    """Whether a table holds the columns of one rank."""
    return hasattr(table, _MARK)


def widths_apart(model: nn.Module) -> dict[str, int]:
    """The parameters and buffers that lie apart, by name, with the number of all their columns."""
    named = [*model.named_parameters(), *model.named_buffers()]
    return {name: whole_width(tensor) for name, tensor in named if lies_apart(tensor)}


@contextmanager
def keeping_marks(model: nn.Module) -> Iterator[None]:
    """Keep what is known of a model's tables while it is moved: torch makes new tensors then."""
    before = widths_apart(model)
    yield
    if before:
        tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
        for name, whole in before.items():
            marked(tensors[name], whole)


def draw(table: Tensor, fill: Callable[[Tensor], object]) -> None:
    """Draw a table with the numbers that it would have as a whole.

    Where columns lie apart every rank draws the whole table, in blocks of rows, and keeps its own columns.

    Args:
        table: ``[N, d]``, or this rank's columns of it; of float32.
        fill: draws a tensor, from one generator, in the order of its numbers.
    """
    group = current()
    if group is None or not lies_apart(table):
        fill(table)
        return
    whole, share = whole_width(table), group.share(whole_width(table))
    for start, count in _blocks(len(table), whole):
        drawn = torch.empty(count, whole)
        fill(drawn)
        with torch.no_grad():
            table[start : start + count] = drawn[:, share.slice]


def _blocks(rows: int, width: int) -> list[tuple[int, int]]:
    """Blocks of rows, all but the last of a multiple of 16 numbers, and the last not shorter than that."""
    step = max(16, DRAWN // max(width, 1) // 16 * 16)
    starts = list(range(0, rows, step)) or [0]
    if len(starts) > 1 and (rows - starts[-1]) * width < 16:
        starts.pop()
    return [(start, stop - start) for start, stop in zip(starts, [*starts[1:], rows], strict=True)]
