"""Blocks of a long result, kept beside the file that they are to become, so that it goes on where it was cut off."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from alignrec_geo.errors import InputError
from alignrec_geo.files import atomic_path, inside, read_object, write_json
from alignrec_geo.locks import LOCK, sole
from alignrec_geo.outputs import check_parents
from alignrec_geo.parquet import read_parquet
from alignrec_geo.staging import remove_folder, sweep_inside

STATE = "request.json"
MADE_BY = "alignrec-geo, parts of a result"
_PART = re.compile(r"\d{8}\.parquet")


class KeptParts:
    """The blocks that are done; made by :func:`kept_parts`.

    Args:
        folder: holds one Parquet file for each.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __contains__(self, number: int) -> bool:
        """Whether a block is done."""
        return self._file(number).is_file()

    def add(self, number: int, frame: pl.DataFrame) -> None:
        """Keep a block, all of it or nothing."""
        with atomic_path(self._file(number)) as staging:
            frame.write_parquet(staging)

    def read(self, number: int) -> pl.DataFrame:
        """A block that is done."""
        return read_parquet(self._file(number))

    def _file(self, number: int) -> Path:
        return inside(self._folder, f"{number:08}.parquet")


@contextmanager
def kept_parts(target: Path, key: str, size: int) -> Iterator[KeptParts]:
    """Yield the blocks of a result that are done already; all are deleted when the block ends without an error.

    Args:
        target: the file that is to be made; the folder is called like it, with ``.parts`` at the end.
        key: names what was asked for; blocks of other requests are not taken.
        size: how many of those who ask a block answers.

    Raises:
        InputError: the folder holds blocks of another request, or anything else; or another process fills it.
    """
    folder = target.with_name(f"{target.name}.parts")
    wanted = {"made_by": MADE_BY, "key": key, "size": size}
    check_parents(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with sole(folder / LOCK, f"{folder} is being filled by another process; wait until it is done"):
        sweep_inside(folder)
        foreign = [path.name for path in folder.iterdir() if path.name not in (LOCK, STATE) and not _is_part(path)]
        if foreign:
            raise InputError(f"{folder} holds '{foreign[0]}', which is no part of a result; name another file")
        if (folder / STATE).is_file():
            if read_object(folder / STATE) != wanted:
                raise InputError(
                    f"{folder} holds parts of another request (other tables, users, rules or block size); delete the "
                    "folder, or name another file"
                )
        elif any(map(_is_part, folder.iterdir())):
            raise InputError(
                f"{folder} holds parts of a result and no {STATE}; delete the folder, or name another file"
            )
        else:
            write_json(folder / STATE, wanted)
        yield KeptParts(folder)
    remove_folder(folder)


def _is_part(path: Path) -> bool:
    return _PART.fullmatch(path.name) is not None and path.is_file()
