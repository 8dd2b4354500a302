"""A data set whose graph is so long and thin that the surroundings of a batch are a small part of it."""

import numpy as np
import polars as pl

from alignrec_geo.dataset import Dataset, Features, Interactions, Split


def ring(size: int = 400) -> Dataset:
    """User u has the items u, u + 1 and u + 3 on a ring; every third item lacks content, the others' is random."""
    user = np.repeat(np.arange(size), 3)
    item = (user + np.tile([0, 1, 3], size)) % size
    split = np.full(len(user), Split.TRAIN, dtype=np.int8)
    ids = pl.DataFrame({"id": [f"id-{row}" for row in range(size)]})
    blank = pl.lit(None, dtype=pl.String)
    present = np.arange(size) % 3 > 0
    content = np.random.default_rng(0).normal(size=(size, 8)).astype(np.float32) * present[:, None]
    return Dataset(
        name="ring",
        interactions=Interactions(user, item, split, size, size),
        users=ids,
        items=ids.with_columns(title=blank, text=blank, image=blank),
    ).with_features(Features("signal", content, present))
