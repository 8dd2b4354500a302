"""Streamed imports of small files, in parts as if they were large."""

from functools import partial

import pytest

pytest.importorskip("duckdb", reason="alignrec-geo[stream] is not installed")

from alignrec_geo.dataset.readers.table_chunks import ChunkedTable
from alignrec_geo.dataset.streaming import importing


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a few lines are read in several parts."""
    monkeypatch.setattr(importing, "ChunkedTable", partial(ChunkedTable, rows=90, size=150))
