"""A data set with known answers: even users like even items; the diagonal is withheld."""

import numpy as np
import polars as pl

from alignrec_geo.dataset import Dataset, Interactions, Split


def checkerboard(size: int = 50) -> Dataset:
    """User u likes every item i of its parity but i = u, which is the test item."""
    user, item = np.nonzero(np.add.outer(np.arange(size), np.arange(size)) % 2 == 0)
    split = np.where(user == item, Split.TEST, Split.TRAIN).astype(np.int8)
    ids = [f"id-{row}" for row in range(size)]
    blank = pl.lit(None, dtype=pl.String)
    return Dataset(
        name="checkerboard",
        interactions=Interactions(user.astype(np.int64), item.astype(np.int64), split, size, size),
        users=pl.DataFrame({"id": ids}),
        items=pl.DataFrame({"id": ids}).with_columns(title=blank, text=blank, image=blank),
    )
