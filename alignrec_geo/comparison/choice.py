"""Which settings a model's final runs get."""

from typing import Any, NamedTuple

from pydantic import Field

from alignrec_geo.comparison.layout import Layout
from alignrec_geo.comparison.plan import Plan
from alignrec_geo.records import Record, read_record


class Choice(NamedTuple):
    """The settings that validation chose.

    Args:
        trial: the trial that won; 0 are the defaults.
        settings: its settings.
        exhausted: how many trials the whole search space took, if that was fewer than planned.
    """

    trial: int
    settings: dict[str, Any]
    exhausted: int | None


class StoredChoice(Record):
    """``chosen.json``."""

    trials: int
    trial: int = Field(ge=0)
    settings: dict[str, Any]
    exhausted: int | None


def choice_of(plan: Plan, layout: Layout, model: str) -> Choice | None:
    """What validation chose for a model; ``None`` while its trials go on."""
    if not plan.tuned(model):
        return Choice(0, {}, None)
    path = layout.chosen(model)
    stored = read_record(path, StoredChoice) if path.exists() else None
    if stored is None or stored["trials"] < plan.trials:
        return None
    return Choice(stored["trial"], stored["settings"], stored["exhausted"])
