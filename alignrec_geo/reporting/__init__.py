"""Tables, figures and a report of a comparison of models."""

from alignrec_geo.reporting.report import write_report

__all__ = ["write_report"]
