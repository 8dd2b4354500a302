"""A metric: a name, cutoffs, and a function."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from alignrec_geo.errors import InputError
from alignrec_geo.evaluation.metrics.cutoffs import cutoff_tuple
from alignrec_geo.evaluation.metrics.ranking import RankedLists

NAME = re.compile(r"[a-z][a-z0-9_-]*")


@dataclass(frozen=True)
class Metric:
    """A value per user; what is reported is its mean over the users.

    Args:
        name: what tables call it; ``NAME@K`` is one of its columns.
        function: takes :class:`~alignrec_geo.evaluation.metrics.RankedLists` and a cutoff, and returns ``[n]``, finite,
            on their device. It should not read values back to Python.
        cutoffs: its own values of ``K``; ``None`` takes those of the evaluator.
        needs_content: whether it looks at the items' content, which data sets need not have.
        higher_is_better: whether a validation may choose by it.

    Raises:
        InputError: the name, the function or a cutoff is none.

    Example:
        >>> first = Metric("first-hit", lambda ranking, k: ranking.hits[:, 0].double(), cutoffs=(1,))
        >>> first.name
        'first-hit'
    """

    name: str
    function: Callable[[RankedLists, int], Tensor]
    cutoffs: tuple[int, ...] | None = None
    needs_content: bool = False
    higher_is_better: bool = True

    def __post_init__(self) -> None:
        check(self.name, self.function, self.cutoffs)


@dataclass(frozen=True)
class CatalogueMetric:
    """A value of all lists together, from how often each item is in one of them.

    Args:
        name: see :class:`Metric`.
        function: takes in how many users' ``K`` first items every item is, ``[I]`` int64, and returns a finite scalar.
        cutoffs: see :class:`Metric`.
        higher_is_better: see :class:`Metric`.

    Raises:
        InputError: the name, the function or a cutoff is none.
    """

    name: str
    function: Callable[[Tensor], Tensor]
    cutoffs: tuple[int, ...] | None = None
    higher_is_better: bool = True
    needs_content: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check(self.name, self.function, self.cutoffs)


AnyMetric = Metric | CatalogueMetric


def check(name: Any, function: Any, cutoffs: Any) -> None:
    """Refuse what makes no metric."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InputError(f"a metric's name is of lower-case letters, digits, '-' and '_' (got {name!r:.80})")
    if not callable(function):
        raise InputError(f"metric '{name}': the function must be callable (got {function!r:.80})")
    if cutoffs is not None:
        cutoff_tuple(cutoffs)
