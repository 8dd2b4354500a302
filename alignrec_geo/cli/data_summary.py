"""The counts of a data set, as every verb on data sets prints them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alignrec_geo.dataset.store import Dataset


def summary(dataset: "Dataset") -> dict[str, Any]:
    """Name, users, items, interactions, splits, pairs in no split, and the folder, for JSON."""
    from alignrec_geo.dataset.interactions import Split

    others = {part.label: int((dataset.interactions.split == part).sum()) for part in (Split.HISTORY, Split.UNUSED)}
    return summary_of(dataset.name, {**dataset.counts(), **others}, str(dataset.path))


def summary_of(name: str, counts: "Mapping[str, int]", path: str) -> dict[str, Any]:
    """The same from the counts of a data set, those of all splits among them."""
    from alignrec_geo.dataset.interactions import EVALUATED

    return {
        "name": name,
        **{key: counts[key] for key in ("users", "items", "interactions")},
        "splits": {part.label: counts[part.label] for part in EVALUATED},
        "history": counts["history"],
        "unused": counts["unused"],
        "path": path,
    }


def counts_line(dataset: "Dataset") -> str:
    """The same as one line for people."""
    return line_of(summary(dataset))


def line_of(found: dict[str, Any]) -> str:
    """A summary as one line."""
    parts = ", ".join(f"{part} {size:,}" for part, size in found["splits"].items())
    history = f", history of held-out users {found['history']:,}" if found["history"] else ""
    unused = f", in no split {found['unused']:,}" if found["unused"] else ""
    return (
        f"{found['path']}: {found['users']:,} users, {found['items']:,} items, "
        f"{found['interactions']:,} interactions ({parts}{history}{unused})"
    )
