"""What is collected of a folder before it is hashed."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Collected:
    """Files by their path there.

    Args:
        name: of the run or data set.
        files: where each file is read from.
        users: users whose ids are in it.
        pairs: interactions that are in it.
        root: folder of the tables, where they are not those of the folder itself.
    """

    name: str
    files: dict[str, Path]
    users: int = 0
    pairs: int = 0
    root: Path | None = None


def files_of(folder: Path, paths: list[str]) -> dict[str, Path]:
    """Those of the files that are there."""
    return {path: folder / path for path in paths if (folder / path).is_file()}
