"""``shared.json``: what ``push`` sent, file by file, with sizes and hashes; what ``pull`` holds the files against."""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from alignrec_geo.errors import InputError
from alignrec_geo.files import read_object, sha256_of
from alignrec_geo.settings import checked
from alignrec_geo.sharing.kinds import Kind, refuse_foreign

SHARED = "shared.json"
MADE_BY = "alignrec-geo push"
VERSION = 1
LARGEST = 64 << 20
"""Bytes of a ``shared.json`` that is read: some 400,000 files."""


class SharedFile(BaseModel):
    """One file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    bytes: int = Field(ge=0)
    """Its size."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Its SHA-256."""


class Shared(BaseModel):
    """What ``shared.json`` holds."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    made_by: Literal["alignrec-geo push"] = "alignrec-geo push"
    """Which program made it."""
    version: Literal[1] = 1
    """Version of this layout."""
    kind: Kind
    """What is shared."""
    name: str = Field(min_length=1, max_length=250)
    """What it is called."""
    files: dict[str, SharedFile] = Field(min_length=1)
    """Every file but the card, by its path."""

    def text(self) -> str:
        """As it is written."""
        return json.dumps(self.model_dump(), indent=1, ensure_ascii=False) + "\n"

    @property
    def total(self) -> int:
        """Bytes of all files."""
        return sum(file.bytes for file in self.files.values())


def shared_file(path: Path) -> SharedFile:
    """The entry of a file on disk."""
    return SharedFile(bytes=path.stat().st_size, sha256=sha256_of(path))


def read_shared(path: Path, where: object) -> Shared:
    """Read ``shared.json``.

    Args:
        path: the file.
        where: what it is of, for messages.

    Raises:
        InputError: it is none, of another version, or names a file that its kind may not have.
    """
    if path.stat().st_size > LARGEST:
        raise InputError(f"{where}: {SHARED} has {path.stat().st_size:,} bytes; at most {LARGEST:,} are read")
    content: dict[str, Any] = read_object(path)
    if content.get("made_by") != MADE_BY:
        raise InputError(f"{where}: its {SHARED} was not made by '{MADE_BY}'")
    if content.get("version") != VERSION:
        raise InputError(f"{where}: {SHARED} has version {content.get('version')!r}; this release reads {VERSION}")
    shared = checked(Shared, content, prefix=f"{where}: {SHARED}: ")
    refuse_foreign(shared.kind, shared.files, where)
    return shared
