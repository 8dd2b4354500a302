"""Losses as lists of terms: from text or objects to terms, and from terms to named values."""

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from torch import Tensor

from alignrec_geo.errors import InputError
from alignrec_geo.kernels.branch import Branch
from alignrec_geo.nn.losses import LOSSES, LossFn, LossTerm
from alignrec_geo.nn.views import BatchViews, Triplets
from alignrec_geo.reading import typed_line

_PLUS = re.compile(r"\+(?![^()]*\))")
"""Between terms; not within the numbers of one, which may be written as 1e+2."""
_PART = re.compile(r"\s*(\w+)\s*(?:\(([^()]*)\))?\s*")


def parse_losses(text: str) -> list[LossTerm]:
    """Read a loss as it stands in a run's settings.

    Raises:
        InputError: an unknown term, or numbers that it does not take.

    Example:
        >>> parse_losses("bpr + uia(0.1) + cca(0.01, 0.2)")
        [bpr(1), uia(0.1), cca(0.01, 0.2)]
    """
    terms: list[LossTerm] = []
    for part in _PLUS.split(text):
        match = _PART.fullmatch(part)
        kind = LOSSES.get(match[1]) if match is not None else None
        if match is None or kind is None:
            known = ", ".join(LOSSES)
            raise InputError(f"losses: unknown term (got '{part.strip()}'); write 'bpr + uia(0.1)', there are: {known}")
        try:
            terms.append(kind(*(float(number) for number in (match[2] or "").split(",") if number.strip())))
        except InputError as error:
            raise InputError(f"{error} in '{part.strip()}'") from None
        except (TypeError, ValueError):
            takes = ", ".join(inspect.signature(kind).parameters)
            raise InputError(f"losses: {kind.name} takes numbers: {takes} (got '{part.strip()}')") from None
    return terms


def loss_list(losses: Any) -> list[LossFn]:
    """Return the terms that were given: as a text, as one term or as several, texts among them.

    Raises:
        InputError: none at all, or something that is no term.

    Example:
        >>> from alignrec_geo.nn.losses import BPR, UIA
        >>> loss_list("bpr + uia(0.1)"), loss_list(["bpr", UIA(0.2)]), loss_list(BPR())
        ([bpr(1), uia(0.1)], [bpr(1), uia(0.2)], [bpr(1)])
    """
    given = [losses] if isinstance(losses, str | type) or callable(losses) else losses
    if isinstance(given, Mapping) or not isinstance(given, Iterable):
        raise InputError(f"losses takes terms, such as 'bpr + uia(0.1)' or [BPR(), UIA(0.1)] (got {losses!r:.80})")
    terms: list[LossFn] = []
    for term in given:
        if isinstance(term, type) and issubclass(term, LossTerm):
            term = term()
        if isinstance(term, type) or not (isinstance(term, str) or callable(term)):
            raise InputError(f"losses takes terms, such as 'bpr + uia(0.1)' or [BPR(), UIA(0.1)] (got {term!r:.80})")
        terms += parse_losses(term) if isinstance(term, str) else [term]
    if not terms:
        raise InputError("losses holds no term; without any there is nothing to minimise")
    return terms


def describe_losses(losses: Sequence[LossFn]) -> str:
    """The text that stands for a loss in a run's settings."""
    return " + ".join(repr(loss) if isinstance(loss, LossTerm) else f"<{loss_name(loss)}>" for loss in losses)


def loss_name(loss: Any) -> str:
    """What a term is called: its ``name``, a function's own name, or its class."""
    return str(getattr(loss, "name", None) or getattr(loss, "__name__", None) or type(loss).__name__)


def loss_terms(losses: Sequence[LossFn], views: BatchViews, batch: Triplets) -> dict[str, Tensor]:
    """Return every term by name; a name that occurs again gets a number.

    Raises:
        InputError: a custom term fails, or is not a scalar.
    """
    terms: dict[str, Tensor] = {}
    branch = Branch(batch.positives, *(() if views.content is None else views.content.rows))
    for loss in losses:
        try:
            with branch if getattr(loss, "separate", False) is True else nullcontext():
                value = loss(views, batch)
        except InputError:
            raise
        except Exception as error:
            if isinstance(loss, LossTerm) and type(loss) in LOSSES.values():
                raise
            raise InputError(f"loss term '{loss_name(loss)}' failed: {typed_line(error)}") from error
        for name, term in value.items() if isinstance(value, Mapping) else [(loss_name(loss), value)]:
            if not isinstance(term, Tensor) or term.numel() != 1:
                got = f"shape {tuple(term.shape)}" if isinstance(term, Tensor) else type(term).__name__
                raise InputError(f"loss term '{name}' must be a scalar tensor (got {got})")
            same = sum(1 for known in terms if known == name or known.rpartition("_")[0] == name)
            terms[f"{name}_{same + 1}" if same else name] = term
    branch.join(*terms.values())
    return terms
