"""What an export consists of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from alignrec_geo.errors import InputError

EXACT = 1e-4
"""How far scores of single precision may differ, as a share of the largest."""
AGREEING = 0.999
"""Share of the items that must be the same."""


@dataclass
class Written:
    """The files of an export, and how they were checked.

    Args:
        files: what each file is, by name.
        checked: what was compared when they were read back.
        facts: what else a reader should know, for the manifest: shapes, opset, settings.
        usage: how to load them, in Markdown.
    """

    files: dict[str, str] = field(default_factory=dict)
    checked: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    usage: str = ""

    def confirm(self, name: str, compared: Mapping[str, float], exact: bool) -> None:
        """Keep a comparison, and refuse to hand on what is not equal where it has to be.

        Args:
            name: what was compared.
            compared: see :meth:`~alignrec_geo.exporting.source.Source.compared`.
            exact: whether the export is in single precision and searched in whole.

        Raises:
            InputError: it differs.
        """
        self.checked[name] = dict(compared)
        differs = compared["largest_score_difference"] > EXACT or compared["same_items"] < AGREEING
        if exact and differs:
            raise InputError(f"export: what was written, read back, gives other items than the run: {dict(compared)}")
