"""The counts of a data set, as every verb on data sets prints them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alignrec_geo.dataset.store import Dataset


def summary(dataset: "Dataset") -> dict[str, Any]:
    """Name, users, items, interactions, splits, pairs in no split, and the folder, for JSON."""
    from alignrec_geo.dataset.interactions import EVALUATED, Split

    counts = dataset.counts()
    return {
        "name": dataset.name,
        **{key: counts[key] for key in ("users", "items", "interactions")},
        "splits": {part.label: counts[part.label] for part in EVALUATED},
        "history": int((dataset.interactions.split == Split.HISTORY).sum()),
        "unused": int((dataset.interactions.split == Split.UNUSED).sum()),
        "path": str(dataset.path),
    }


def counts_line(dataset: "Dataset") -> str:
    """The same as one line for people."""
    found = summary(dataset)
    parts = ", ".join(f"{part} {size:,}" for part, size in found["splits"].items())
    history = f", history of held-out users {found['history']:,}" if found["history"] else ""
    unused = f", in no split {found['unused']:,}" if found["unused"] else ""
    return (
        f"{found['path']}: {found['users']:,} users, {found['items']:,} items, "
        f"{found['interactions']:,} interactions ({parts}{history}{unused})"
    )
