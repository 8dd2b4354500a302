"""A small trained run with images, an item that came later, and titles that would like to be code."""

from dataclasses import replace
from pathlib import Path

import polars as pl

from alignrec_geo import AlignRec, make_catalogue
from alignrec_geo.serving import ColdItems, save_cold_items
from alignrec_geo.serving.store import EMBEDDINGS, read_embeddings
from alignrec_geo.training import fit

TITLES = {
    "item-0000": "<script>document.title = 'taken over'</script>",
    "item-0001": "<img src=x onerror=\"document.title='taken over'\">",
    "item-0002": "[bold]Mug[/bold] & co.",
    "item-0003": "Mug\x1b[2J \u202edexif\u202c one\nother",
    "item-0004": "ספל כחול",
    "item-0005": "Café-Tasse mit einem sehr langen Namen, derüberallhinreichtundkeinenUmbruchhatunddenRandsprengt",
}
"""Titles of the first items."""
NEW = "new/item 1?&#"
"""Id of an item that came after training."""


def trained(folder: Path, seed: int = 0) -> Path:
    """Train a run in ``folder``, with its data set beside it."""
    made = make_catalogue(n_users=60, n_items=40, image_size=48)
    ids = made.items["id"].to_list()
    titles = [TITLES.get(name, title) for name, title in zip(ids, made.items["title"], strict=True)]
    items = made.items.with_columns(title=pl.Series(titles))
    data = replace(made, items=items).save(folder / "data")
    run = folder / "run"
    fit(AlignRec.from_dataset(data, config={"dim": 16}, seed=seed), out=run, config={"epochs": 3})
    vectors = read_embeddings(run).items[:1] * 1.5
    save_cold_items(run / "cold.safetensors", ColdItems([NEW], ["Later mug"], vectors), run / EMBEDDINGS)
    return run
