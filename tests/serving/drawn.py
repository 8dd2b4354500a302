"""Drawn tables and interactions, with columns of items that conditions can be on."""

import numpy as np
import polars as pl
import torch

from alignrec_geo.dataset import Dataset, Interactions
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.serving import ColdItems, TopItems


def drawn(n_users: int = 40, n_items: int = 300, dim: int = 8, seed: int = 0) -> TopItems:
    """Random tables and interactions, a quarter of them for test; the last user has test interactions only."""
    rng = np.random.default_rng(seed)
    user, item = np.divmod(np.unique(rng.integers(0, n_users * n_items, 600)), n_items)
    split = np.where((rng.random(len(user)) < 0.25) | (user == n_users - 1), 2, 0).astype(np.int8)
    names = pl.Series("id", [f"i{n}" for n in range(n_items)])
    blank = pl.lit(None, dtype=pl.String)
    number = pl.int_range(n_items)
    items = names.to_frame().with_columns(
        title=pl.when(number % 10 > 0).then(pl.col("id").str.to_uppercase()),
        text=blank,
        image=blank,
        category=pl.when(number % 7 > 0).then(pl.format("kind {}", number % 3)),
        price=(number * 37 % 101) / 4,
    )
    users = pl.DataFrame({"id": [f"u{n}" for n in range(n_users)]})
    data = Dataset("drawn", Interactions(user, item, split, n_users, n_items), users, items)
    generator = torch.Generator().manual_seed(seed)
    tables = (torch.randn(n, dim, generator=generator) for n in (n_users, n_items))
    cold = data.items["id"].filter(pl.Series(data.interactions.of(0).item_degree() == 0))
    new = ["new 1", *cold.head(3)]
    vectors = torch.randn(len(new), dim, generator=generator)
    return TopItems(Embeddings(*tables), data, ColdItems(new, [None] * len(new), vectors))
