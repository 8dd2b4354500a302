"""How many items of a data set a table of items describes, and why the others do not match."""

import polars as pl

from alignrec_geo.dataset.readers.rows import shown
from alignrec_geo.errors import InputError

ALIKE = {
    "without the blanks around them": pl.col("id").str.strip_chars(),
    "in lower case": pl.col("id").str.to_lowercase(),
    "without leading zeros": pl.col("id").str.strip_chars_start("0"),
    "without '.0' at the end": pl.col("id").str.strip_suffix(".0"),
}
"""What often makes two spellings of one id differ."""


def check_any_match(items: pl.Series, described: pl.Series, label: str) -> None:
    """Refuse a table of items none of which is an item of the interactions.

    Args:
        items: ids of the interactions.
        described: ids of the table.
        label: the table, for errors.

    Raises:
        InputError: no id is in both; the message shows ids of both.
    """
    ids = items.unique(maintain_order=True)
    if ids.is_in(described.to_list()).any():
        return
    raise InputError(
        f"{label}: 0 of {len(ids)} items matched; its ids are for example {examples(described)}, those of the "
        f"interactions {examples(ids)}{_alike(ids, described)}"
    )


def match_note(items: pl.Series, described: pl.Series, label: str) -> str:
    """Say how many items of a data set a table describes, with examples of those that match nothing.

    Example:
        >>> import polars as pl
        >>> match_note(pl.Series("id", ["a", "b", "c"]), pl.Series("id", ["a", "B", "x"]), "items.csv")
        "items.csv: 1 of 3 items matched, not for example 'b', 'c'; 2 of its 3 ids are of no item, for example \
'B', 'x'; 1 would match in lower case"
    """
    bare = items.filter(~items.is_in(described.to_list()))
    spare = described.filter(~described.is_in(items.to_list()))
    said = f"{label}: {len(items) - len(bare)} of {len(items)} items matched"
    if len(bare):
        said += f", not for example {examples(bare)}"
    if len(spare):
        said += f"; {len(spare)} of its {len(described)} ids are of no item, for example {examples(spare)}"
    return said + _alike(bare, spare)


def examples(ids: pl.Series) -> str:
    """A few ids, quoted so that blanks and invisible characters can be seen."""
    return ", ".join(map(shown, ids.head(3).to_list()))


def _alike(bare: pl.Series, spare: pl.Series) -> str:
    """How the ids that match nothing would match."""
    found = {}
    for how, plain in ALIKE.items():
        here, there = (pl.DataFrame({"id": ids}).select(plain)["id"] for ids in (bare, spare))
        found[how] = int(here.is_in(there.to_list()).sum())
    best = max(found, key=lambda how: found[how])
    return f"; {found[best]} would match {best}" if found[best] else ""
