"""What has to be equal in comparisons that make one result."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from alignrec_geo.errors import InputError


def must_agree(folders: Sequence[Path], facts: Sequence[Mapping[str, Any]]) -> None:
    """Check that the facts of every folder are those of the first.

    Raises:
        InputError: two folders differ; it names them and the first fact that is not the same.
    """
    for folder, found in zip(folders, facts, strict=True):
        for key, value in found.items():
            if value != facts[0][key]:
                raise InputError(f"{folders[0]} and {folder} differ in {key}: {facts[0][key]} and {value}")
