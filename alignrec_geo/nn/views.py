"""What the loss terms of a batch see: the rows of its users and items in every branch."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from torch import Tensor

from alignrec_geo.errors import InputError
from alignrec_geo.kernels.triplet_loss import TripletTerms
from alignrec_geo.kernels.unique import Unique


class Triplets(Protocol):
    """A batch of triplets; :class:`alignrec_geo.models.Batch` is one."""

    @property
    def users(self) -> Tensor:
        """``[B]`` int64."""

    @property
    def positives(self) -> Tensor:
        """``[B]`` int64."""

    @property
    def negatives(self) -> Tensor:
        """``[B]`` int64."""

    @property
    def nominal_size(self) -> int:
        """The configured batch size; the last batch of an epoch is smaller."""


class Rows(NamedTuple):
    """One branch of a batch, ``[B, d]`` each."""

    user: Tensor
    positive: Tensor
    negative: Tensor


class ContentViews(NamedTuple):
    """The content branch of a batch.

    Args:
        rows: rows of the content branch.
        users: the distinct users of the batch.
        positives: the distinct positives that have content; the others have nothing to align.
        anchor: the content vectors of some items as unit rows, ``[n]`` to ``[n, D]``.
    """

    rows: Rows
    users: Unique
    positives: Unique
    anchor: Callable[[Tensor], Tensor]


class BatchViews(NamedTuple):
    """A batch in every branch.

    Args:
        identity: rows of the ID branch.
        fused: rows whose dot products are the scores.
        pair: BPR, UIA and L2 of the fused rows, unweighted, from one pass.
        content: the content branch; ``None`` without features.
    """

    identity: Rows
    fused: Rows
    pair: TripletTerms
    content: ContentViews | None = None

    def require_content(self) -> ContentViews:
        """The content branch.

        Raises:
            InputError: the model has no features.
        """
        if self.content is None:
            raise InputError("a loss term compares content with something, and the model has no features")
        return self.content
