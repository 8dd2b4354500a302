"""The ranks that train one model together, and what they send each other."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor

from alignrec_geo.errors import RankLost
from alignrec_geo.reading import first_line


class Share(NamedTuple):
    """A contiguous range of rows or columns."""

    first: int
    last: int

    @property
    def slice(self) -> slice:
        """For indexing."""
        return slice(self.first, self.last)

    @property
    def size(self) -> int:
        """How many."""
        return self.last - self.first


class Group:
    """This process among the ranks of the default process group of ``torch.distributed``.

    All methods that send something are collective: every rank calls them, in the same order.

    Args:
        rank: the number of this process, from 0.
        size: number of ranks ``P``.
        local_rank: its number on this machine, by which it takes a GPU.
    """

    def __init__(self, rank: int, size: int, local_rank: int = 0) -> None:
        self.rank, self.size, self.local_rank = rank, size, local_rank

    @property
    def is_first(self) -> bool:
        """Whether this rank writes files and reports."""
        return self.rank == 0

    def shares(self, count: int) -> list[Share]:
        """What every rank has of ``count`` rows or columns; sizes differ by one at most.

        Example:
            >>> Group(0, 3).shares(7)
            [Share(first=0, last=2), Share(first=2, last=4), Share(first=4, last=7)]
        """
        bounds = [rank * count // self.size for rank in range(self.size + 1)]
        return [Share(*pair) for pair in pairwise(bounds)]

    def share(self, count: int) -> Share:
        """What this rank has of them."""
        return self.shares(count)[self.rank]

    def place(self, device: torch.device) -> torch.device:
        """The device of this rank: on GPUs each rank has the one of its local number."""
        return torch.device("cuda", self.local_rank) if device.type == "cuda" else device

    def all_columns(self, own: Tensor, whole: int) -> Tensor:
        """Return the columns of all ranks, ``[..., whole]``, from those of this one, ``[..., w]``."""
        widths = [share.size for share in self.shares(whole)]
        flat = own.reshape(own.shape[:-1].numel(), own.shape[-1])
        widest = max(widths)
        flat = flat.contiguous() if flat.shape[1] == widest else F.pad(flat, (0, widest - flat.shape[1]))
        pieces = list(own.new_empty(self.size, *flat.shape).unbind(0))
        _send(dist.all_gather, pieces, flat)
        columns = [piece[:, :width] for piece, width in zip(pieces, widths, strict=True)]
        return torch.cat(columns, dim=1).view(*own.shape[:-1], whole)

    def all_rows(self, own: Tensor, whole: int) -> Tensor:
        """Return the rows of all ranks, ``[whole, ...]``, from those of this one."""
        columns = own.reshape(len(own), own.shape[1:].numel()).T
        return self.all_columns(columns, whole).T.reshape(whole, *own.shape[1:])

    def sum(self, part: Tensor) -> Tensor:
        """Return the sum of all ranks' tensors."""
        total = part.clone(memory_format=torch.contiguous_format)
        _send(dist.all_reduce, total)
        return total

    def scattered_sum(self, part: Tensor) -> Tensor:
        """Return this rank's columns, ``[n, w]``, of the sum of all ranks' tensors, ``[n, whole]``."""
        shares = self.shares(part.shape[1])
        own = part.new_empty(len(part), shares[self.rank].size)
        _send(dist.reduce_scatter, own, [part[:, share.slice].contiguous() for share in shares])
        return own

    def rows_of(self, own: Tensor, whole: int) -> Tensor:
        """From its columns of all rows, ``[n, ..., w]``, to all columns of its rows, ``[n / P, ..., whole]``."""
        mine = self.share(len(own)).size
        outgoing = [own[share.slice].contiguous() for share in self.shares(len(own))]
        shapes = [(mine, *own.shape[1:-1], share.size) for share in self.shares(whole)]
        return torch.cat(_exchanged(outgoing, shapes), dim=-1)

    def columns_of(self, rows: Tensor, count: int) -> Tensor:
        """The way back: from all columns of this rank's rows to its columns of all ``count`` rows."""
        columns = self.shares(rows.shape[-1])
        outgoing = [rows[..., share.slice].contiguous() for share in columns]
        width = columns[self.rank].size
        shapes = [(share.size, *rows.shape[1:-1], width) for share in self.shares(count)]
        return torch.cat(_exchanged(outgoing, shapes))

    def to_first(self, own: Tensor, whole: int) -> Tensor | None:
        """All columns, ``[n, whole]``, on the first rank; ``None`` on the others."""
        shares = self.shares(whole)
        widest = max(share.size for share in shares)
        padded = F.pad(own, (0, widest - own.shape[1])).contiguous()
        pieces = list(own.new_empty(self.size, *padded.shape).unbind(0)) if self.is_first else None
        _send(dist.gather, padded, pieces, dst=0)
        if pieces is None:
            return None
        return torch.cat([piece[:, : share.size] for piece, share in zip(pieces, shares, strict=True)], dim=1)

    def from_first(self, tensor: Tensor) -> None:
        """Overwrite a tensor with the first rank's."""
        _send(dist.broadcast, tensor, src=0)

    def all_agree(self, holds: bool, device: torch.device) -> bool:
        """Whether something holds on every rank."""
        fails = torch.tensor([0.0 if holds else 1.0], device=device)
        return float(self.sum(fails)) == 0.0

    @contextmanager
    def first_before_others(self) -> Iterator[None]:
        """Let the others begin the block once the first rank has ended it: what it stores there they find."""
        if not self.is_first:
            self.wait()
        yield
        if self.is_first:
            self.wait()

    def wait(self) -> None:
        """Wait until all ranks are here."""
        _send(dist.barrier)


_current: list[Group | None] = [None]


def current() -> Group | None:
    """The group that this process trains in, ``None`` where it is alone."""
    return _current[-1]


@contextmanager
def using(group: Group | None) -> Iterator[None]:
    """Train as one of a group, or with ``None`` alone, within the block."""
    _current.append(group)
    try:
        yield
    finally:
        _current.pop()


def _exchanged(outgoing: list[Tensor], shapes: list[tuple[int, ...]]) -> list[Tensor]:
    """Send every rank its tensor, and return what came from each, of the given shapes."""
    sizes = [torch.Size(shape).numel() for shape in shapes]
    sent = torch.cat([part.flatten() for part in outgoing])
    arrived = sent.new_empty(sum(sizes))
    _send(dist.all_to_all_single, arrived, sent, sizes, [part.numel() for part in outgoing])
    return [part.view(shape) for part, shape in zip(arrived.split(sizes), shapes, strict=True)]


def _send(operation: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Call a collective.

    Raises:
        RankLost: another rank has ended.
    """
    try:
        operation(*args, **kwargs)
    except RuntimeError as error:
        raise _lost(operation.__name__, error) from error


@contextmanager
def lost_ranks(operation: str) -> Iterator[None]:
    """Within the block, take what gloo says of a connection that ended as what it means: for collectives of others.
    A process that trains alone has nobody to lose.

    Raises:
        RankLost: another rank has ended.
    """
    try:
        yield
    except RankLost:
        raise
    except RuntimeError as error:
        if current() is None or not any(word in str(error).lower() for word in ("gloo", "connection")):
            raise  # a fault of this process
        raise _lost(operation, error) from error


def _lost(operation: str, error: RuntimeError) -> RankLost:
    """What a failed collective means, without places in gloo's source, and what it supposes."""
    said = re.sub(r"\[[^]]*\]:?\s*", "", first_line(error)).partition(". ")[0]
    return RankLost(f"{operation}: {said}")
