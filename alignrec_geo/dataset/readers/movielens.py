"""MovieLens 100K and 1M in their official layouts."""

from dataclasses import replace
from pathlib import Path

import polars as pl

from alignrec_geo.dataset.build import Tables, build_dataset
from alignrec_geo.dataset.filters import FilterConfig
from alignrec_geo.dataset.images import ImageSource
from alignrec_geo.dataset.readers.columns import id_column
from alignrec_geo.dataset.readers.html_text import text_source
from alignrec_geo.dataset.readers.items import ItemColumns, read_items
from alignrec_geo.dataset.readers.matching import check_any_match, match_note
from alignrec_geo.dataset.readers.pairs import PairColumns, interaction_columns
from alignrec_geo.dataset.readers.table_files import Table, TextLayout, open_bytes, read_delimited
from alignrec_geo.dataset.splits import SplitConfig
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError

RATINGS = ("user", "item", "rating", "timestamp")
DATES = ("id", "title", "released", "video", "url")


def read_movielens(
    folder: Path,
    name: str | None = None,
    split: SplitConfig | None = None,
    filters: FilterConfig | None = None,
    items: Path | None = None,
    item_id: str = "movieID",
    text: tuple[str, ...] = (),
    keep_html: bool = False,
    all_items: bool = False,
    images: Path | None = None,
) -> Dataset:
    """Read the official folder of MovieLens 100K or 1M.

    100K is ``u.data``, ``u.item``, ``u.genre``; 1M is ``ratings.dat``, ``movies.dat``. Titles are the items'
    titles; genres are their texts, unless ``items`` has a text for them.

    Args:
        folder: the unpacked folder.
        name: of the data set; ``ml-100k`` or ``ml-1m`` if not given.
        split: the split rule; random per user with seed 0 if not given.
        filters: minimum rating and k-core.
        items: more metadata of the films (a table; JSON lines with plots, for example).
        item_id: the column of the film number in ``items``.
        text: columns of the text in ``items``.
        keep_html: leave HTML in those texts; otherwise its tags are taken out.
        all_items: keep films that nobody rated.
        images: folder or tar of images called FILM-NUMBER.jpg.

    Raises:
        InputError: neither layout is there, or a file cannot be read.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    if items is None and text:
        raise InputError("text= needs a file of items; name it with items=")
    if (folder / "u.data").exists():
        layout, ratings, films = "ml-100k", _read(folder / "u.data", RATINGS, "\t"), _films_100k(folder)
    elif (folder / "ratings.dat").exists():
        layout, ratings, films = "ml-1m", _read(folder / "ratings.dat", RATINGS, "::"), _films_1m(folder)
    else:
        raise InputError(f"{folder}: neither MovieLens 100K (u.data) nor 1M (ratings.dat) is there")
    frame, notes = interaction_columns(ratings, PairColumns(*RATINGS))
    extra: pl.DataFrame | None = None
    if items is not None:
        described, said = read_items(items, ItemColumns(item_id, text=text, keep_html=keep_html))
        extra = described.frame
        check_any_match(frame["item"], extra["id"], str(items))
        notes += said
        films = films.join(extra.select("id", pl.col("text").alias("more")), on="id", how="left", maintain_order="left")
        films = films.with_columns(pl.coalesce("more", "text").alias("text")).drop("more")
    dataset = build_dataset(
        name or layout,
        Tables(
            interactions=frame,
            items=films,
            keep_items=all_items,
            images=None if images is None else ImageSource(images),
        ),
        split or SplitConfig(),
        filters,
        source={"format": "movielens", "layout": layout, **text_source(extra is not None and not keep_html)},
        notes=notes,
    )
    if extra is None:
        return dataset
    return replace(dataset, notes=[*dataset.notes, match_note(dataset.items["id"], extra["id"], str(items))])


def _read(path: Path, columns: tuple[str, ...], separator: str) -> Table:
    with open_bytes(path) as stream:
        content = stream.read()
    return read_delimited(content, str(path), TextLayout(separator, columns, encoding="latin-1"))


def _films_100k(folder: Path) -> pl.DataFrame:
    genres = id_column(_read(folder / "u.genre", ("name", "number"), "|"), "name").to_list()
    table = _read(folder / "u.item", (*DATES, *genres), "|")
    marked = [pl.when(pl.col(genre) == "1").then(pl.lit(genre)) for genre in genres]
    text = table.frame.select(pl.concat_list(marked).list.drop_nulls().list.join(", ").alias("text"))["text"]
    return _films(table, text)


def _films_1m(folder: Path) -> pl.DataFrame:
    table = _read(folder / "movies.dat", ("id", "title", "genres"), "::")
    return _films(table, table.frame["genres"].str.replace_all("|", ", ", literal=True))


def _films(table: Table, text: pl.Series) -> pl.DataFrame:
    films = pl.DataFrame({"id": id_column(table, "id"), "title": table.frame["title"], "text": text})
    return films.with_columns(pl.when(pl.col("text") != "").then(pl.col("text")).alias("text"))
