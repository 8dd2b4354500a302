"""A data set in a few lines, for a terminal and for a notebook."""

from typing import TYPE_CHECKING

from alignrec_geo.notebook import html_table

if TYPE_CHECKING:
    from alignrec_geo.dataset.store import Dataset


def summary_rows(data: "Dataset") -> list[tuple[str, str]]:
    """What there is to say of a data set, as names and values. Nothing is read from disk but names of files."""
    counts, items = data.counts(), data.items
    splits = ", ".join(f"{name} {counts[name]:,}" for name in ("train", "validation", "test"))
    features = [
        f"{name} {list(data.loaded[name].matrix.shape)}" if name in data.loaded else name for name in data.feature_names
    ]
    known = [f"{items[name].count():,} with {what}" for name, what in CONTENT.items() if items[name].count()]
    return [
        ("split", f"{splits} ({data.split_config.rule})"),
        ("items", ", ".join(known) or "ids only"),
        ("features", ", ".join(features) or "none"),
        ("folder", "none; in memory" if data.path is None else str(data.path)),
    ]


def headline(data: "Dataset") -> str:
    """Name and size in one line."""
    counts = data.counts()
    return f"{counts['users']:,} users, {counts['items']:,} items, {counts['interactions']:,} interactions"


def text_summary(data: "Dataset") -> str:
    """Five lines of text."""
    rows = "".join(f"\n  {name + ':':<10}{value}" for name, value in summary_rows(data))
    return f"Dataset({data.name!r}: {headline(data)}{rows})"


def html_summary(data: "Dataset") -> str:
    """A small table for notebooks."""
    return html_table(summary_rows(data), title=f"{data.name}: {headline(data)}")


CONTENT = {"title": "a title", "text": "a text", "image": "an image"}
"""Columns of the items, and what one calls them."""
