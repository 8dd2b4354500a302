"""Why a model gives an item its score: identity against content, and which past items carry it."""

from typing import TYPE_CHECKING

from alignrec_geo.lazy import lazy_names

if TYPE_CHECKING:
    from alignrec_geo.explaining.explainer import explain
    from alignrec_geo.explaining.explanation import Explanation, PastItem
    from alignrec_geo.explaining.page import write_page

__all__ = ["Explanation", "PastItem", "explain", "write_page"]
_HOME = {"Explanation": "explanation", "PastItem": "explanation", "explain": "explainer", "write_page": "page"}
__getattr__, __dir__ = lazy_names(__name__, _HOME)
