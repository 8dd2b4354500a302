"""Why a model gives an item its score: identity against content, and which past items carry it."""

from alignrec_geo.explaining.explain import explain
from alignrec_geo.explaining.explanation import Explanation, PastItem
from alignrec_geo.explaining.page import write_page

__all__ = ["Explanation", "PastItem", "explain", "write_page"]
