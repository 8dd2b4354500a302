"""Row numbers of external ids, looked up one by one in a table that is made once."""

from functools import cached_property

import numpy as np
import polars as pl

from alignrec_geo.typing import Int64


class RowsById:
    """Row numbers by external id.

    Args:
        ids: of every row, text, all different.

    Example:
        >>> rows = RowsById(pl.Series(["ann", "bob"]))
        >>> rows.get("bob"), rows.get("zoe"), rows.many(pl.Series(["zoe", "ann"])).tolist()
        (1, -1, [-1, 0])
    """

    def __init__(self, ids: pl.Series) -> None:
        self.ids = ids

    def __len__(self) -> int:
        return len(self.ids)

    def get(self, name: str) -> int:
        """The row of an id, -1 if there is none. The first call makes the table."""
        return self._table.get(name, -1)

    def many(self, names: pl.Series) -> Int64:
        """The rows of many ids, -1 where there is none, in one join: no table is made or kept."""
        if names is self.ids:
            return np.arange(len(names))
        found = names.to_frame("id").join(
            self.ids.to_frame("id").with_row_index("row"), on="id", how="left", maintain_order="left"
        )["row"]
        return found.cast(pl.Int64).fill_null(-1).to_numpy()

    @cached_property
    def _table(self) -> dict[str, int]:
        return dict(zip(self.ids.to_list(), range(len(self.ids)), strict=True))
