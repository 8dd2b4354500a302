"""What a row of a comparison trains, as its name says: ``MODEL``, ``MODEL+LAYER``, ``MODEL[key=value,…]``."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from alignrec_geo.errors import InputError
from alignrec_geo.models import MODELS, find_model
from alignrec_geo.reporting.rows import NON_LEARNED
from alignrec_geo.training.run_config import has_setting

SETTING = re.compile(r"[A-Za-z_][\w.]*=[\w.+-]+")
"""A setting in a row's name, which is a folder's name too."""


class RowName(NamedTuple):
    """The parts of a row's name."""

    model: str
    """Name of the model."""
    layer: str | None = None
    """Its user-item layer, if the row names one."""
    settings: tuple[str, ...] = ()
    """What else differs from the model's defaults: ``key=value``."""


def parse_row(name: str) -> RowName:
    """The model, layer and settings that the name of a row says.

    Raises:
        InputError: the brackets are not closed, or hold something else than ``key=value``.

    Example:
        >>> parse_row("alignrec")
        RowName(model='alignrec', layer=None, settings=())
        >>> parse_row("alignrec+sage[dim=32,lr=0.003]")
        RowName(model='alignrec', layer='sage', settings=('dim=32', 'lr=0.003'))
    """
    head, bracket, rest = name.partition("[")
    model, _, layer = head.partition("+")
    if not bracket:
        return RowName(model, layer or None)
    settings = tuple(part.strip() for part in rest.removesuffix("]").split(","))
    if not rest.endswith("]") or not all(SETTING.fullmatch(setting) for setting in settings):
        raise InputError(f"a variant must read MODEL[key=value,…], with plain numbers and words (got '{name}')")
    return RowName(model, layer or None, settings)


def split_rows(text: str) -> list[str]:
    """The rows of a comma-separated list; commas in brackets belong to a row.

    Example:
        >>> split_rows("bpr, alignrec[dim=32,lr=0.003],")
        ['bpr', 'alignrec[dim=32,lr=0.003]']
    """
    return [row.strip() for row in re.findall(r"(?:[^,\[]|\[[^\]]*\]?)+", text) if row.strip()]


def with_variants(models: Sequence[str], variants: Sequence[str]) -> list[str]:
    """The rows of an ablation: every model, followed by its variants, one per group of settings that it has.

    Args:
        models: names of rows; ``["all"]`` are all models.
        variants: groups of settings, ``key=value`` or ``key=value,key=value``.

    Raises:
        InputError: a group is no group of settings, or no model has its settings.

    Example:
        >>> with_variants(["bpr", "alignrec-plus"], ["hard_negatives=1", "dim=32"])
        ['bpr', 'bpr[dim=32]', 'alignrec-plus', 'alignrec-plus[hard_negatives=1]', 'alignrec-plus[dim=32]']
    """
    names = list(MODELS if list(models) == ["all"] else models)
    groups = [",".join(parse_row(f"model[{variant}]").settings) for variant in variants]
    having = {group: [name for name in names if _has_all(parse_row(name).model, group)] for group in groups}
    for group, able in having.items():
        if not able:
            raise InputError(f"no model compared has the settings of the variant '{group}' ({', '.join(names)})")
    return [
        row for name in names for row in (name, *(_joined(name, group) for group in groups if name in having[group]))
    ]


def _has_all(model: str, group: str) -> bool:
    """Whether the model has all settings, and they matter: a baseline without training ignores those of training."""
    keys, kind = [setting.partition("=")[0] for setting in group.split(",")], find_model(model)
    own = (key.removeprefix("parameters.") in kind.config_class.model_fields for key in keys)
    return all(has_setting(kind, key) for key in keys) and (model not in NON_LEARNED or all(own))


def _joined(name: str, group: str) -> str:
    head, _, before = name.removesuffix("]").partition("[")
    return f"{head}[{before},{group}]" if before else f"{head}[{group}]"
