"""Comparing models on equal terms: equal budgets, equal seeds, paired tests, and a folder that survives anything."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alignrec_geo.comparison.engine import compare

__all__ = ["compare"]


def __getattr__(name: str) -> Any:
    """Import ``compare`` on first use, so that the process of a run need not load what only the comparison needs."""
    if name != "compare":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from alignrec_geo.comparison.engine import compare

    return compare
