"""Comparing models on equal terms: equal budgets, equal seeds, paired tests, and a folder that survives anything."""

from typing import TYPE_CHECKING

from alignrec_geo.lazy import lazy_names

if TYPE_CHECKING:
    from alignrec_geo.comparison.engine import compare
    from alignrec_geo.comparison.searching import tune

__all__ = ["compare", "tune"]

__getattr__, __dir__ = lazy_names(
    __name__, {"compare": "engine", "tune": "searching"}
)  # the process of one run needs little of it
