"""The results of a comparison as they come back to Python."""

from typing import Any

import polars as pl

from alignrec_geo.notebook import html_table
from alignrec_geo.reporting.rows import metric_columns, summarise
from alignrec_geo.reporting.tables import cells, header
from alignrec_geo.serving.results import as_pandas


class ComparisonResults(dict[str, Any]):
    """The content of ``results.json``: a dictionary that a notebook shows as the main table."""

    def to_frame(self) -> pl.DataFrame:
        """Return one row per model, the best first: means and standard deviations over seeds, costs, and the test."""
        rows, metrics = summarise(self), metric_columns(summarise(self))
        return pl.DataFrame(
            [
                {
                    "model": row.model,
                    **{name: row.means.get(name) for name in metrics},
                    **{f"{name} sd": row.spreads.get(name) for name in metrics},
                    "difference": row.difference,
                    "p_holm": row.p,
                    **row.costs,
                    "seeds": row.done,
                }
                for row in rows
            ],
            infer_schema_length=None,
        )

    def to_pandas(self) -> Any:
        """:meth:`to_frame` as a pandas frame.

        Raises:
            InputError: pandas is not installed.
        """
        return as_pandas(self.to_frame())

    def _repr_html_(self) -> str:
        rows = summarise(self)
        metrics = metric_columns(rows)
        title = f"{self['dataset']['name']}, test, protocol {self['protocol']}"
        return html_table([cells(row, metrics) for row in rows], header(metrics, self["reference"]), title)
