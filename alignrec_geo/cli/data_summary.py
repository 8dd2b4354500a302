"""The counts of a data set, as every verb on data sets prints them."""

from typing import Any

from alignrec_geo.dataset.interactions import EVALUATED, Split
from alignrec_geo.dataset.store import Dataset

SPLITS = tuple(split.label for split in EVALUATED)


def summary(dataset: Dataset) -> dict[str, Any]:
    """Name, users, items, interactions, splits, pairs in no split, and the folder, for JSON."""
    counts = dataset.counts()
    return {
        "name": dataset.name,
        **{key: counts[key] for key in ("users", "items", "interactions")},
        "splits": {part: counts[part] for part in SPLITS},
        "unused": int((dataset.interactions.split == Split.UNUSED).sum()),
        "path": str(dataset.path),
    }


def counts_line(dataset: Dataset) -> str:
    """The same as one line for people."""
    found = summary(dataset)
    parts = ", ".join(f"{part} {size:,}" for part, size in found["splits"].items())
    unused = f", in no split {found['unused']:,}" if found["unused"] else ""
    return (
        f"{found['path']}: {found['users']:,} users, {found['items']:,} items, "
        f"{found['interactions']:,} interactions ({parts}{unused})"
    )
