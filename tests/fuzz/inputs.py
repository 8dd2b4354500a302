"""What one execution reads: files by relative path, some of them no plain files."""

import os
from pathlib import Path
from typing import NamedTuple


class Odd(NamedTuple):
    """Something that stands where a file is expected: a ``folder``, a ``fifo``, or a ``link``."""

    kind: str
    to: str = ""


File = bytes | Odd
Input = dict[str, File]


def write_input(files: Input, folder: Path) -> None:
    """Write everything; a path below something that is no folder is left out."""
    for name, content in files.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            elif content.kind == "folder":
                path.mkdir()
            elif content.kind == "fifo":
                os.mkfifo(path)
            else:
                path.symlink_to(content.to)
        except (FileExistsError, NotADirectoryError, IsADirectoryError, FileNotFoundError):
            continue


def read_input(folder: Path) -> Input:
    """Read what :func:`write_input` wrote."""
    files: Input = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            files[name] = Odd("link", os.readlink(path))
        elif path.is_fifo():
            files[name] = Odd("fifo")
        elif path.is_file():
            files[name] = path.read_bytes()
        elif not any(path.iterdir()):
            files[name] = Odd("folder")
    return files
