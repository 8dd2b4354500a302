"""Tables, figures and a report of a comparison of models."""

from typing import TYPE_CHECKING

from alignrec_geo.lazy import lazy_names

if TYPE_CHECKING:
    from alignrec_geo.reporting.report import write_report

__all__ = ["write_report"]

__getattr__, __dir__ = lazy_names(__name__, {"write_report": "report"})  # which draws with matplotlib
