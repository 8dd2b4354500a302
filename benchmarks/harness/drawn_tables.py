"""Drawn embedding tables with a data set of ids, titles and interactions: what serving starts from."""

import numpy as np
import polars as pl
import torch

from alignrec_geo.dataset import Dataset, Interactions
from alignrec_geo.embeddings import Embeddings


def draw_tables(users: int, items: int, per_user: int, dim: int, seed: int) -> tuple[Embeddings, Dataset]:
    """Normal tables; every user has ``per_user`` different items, drawn uniformly, all for training.

    Items of one user lie in the order of a random start and step, so that no sorting of all pairs is needed.

    Args:
        users: ``U``.
        items: ``I``.
        per_user: interactions of each user.
        dim: ``D``.
        seed: of everything that is drawn.
    """
    rng = np.random.default_rng(seed)
    start = rng.integers(0, items, users)
    step = rng.integers(1, max(2, items // max(per_user, 1)), users)
    item = (start[:, None] + step[:, None] * np.arange(per_user)) % items
    user = np.repeat(np.arange(users), per_user)
    pairs = Interactions(user, item.reshape(-1), np.zeros(len(user), dtype=np.int8), users, items)
    table = pl.select(
        id=pl.format("SKU-{}", pl.int_range(items)), title=pl.format("Title of item {}", pl.int_range(items))
    )
    blank = pl.lit(None, dtype=pl.String)
    data = Dataset(
        "drawn",
        pairs,
        pl.select(id=pl.format("C-{}", pl.int_range(users))),
        table.with_columns(text=blank, image=blank),
    )
    generator = torch.Generator().manual_seed(seed)
    return Embeddings(*(torch.randn(count, dim, generator=generator) for count in (users, items))), data
