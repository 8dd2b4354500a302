"""A DuckDB database in a folder of its own: what does not fit into the memory it may take goes to disk."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from alignrec_geo.dataset.streaming.memory import OWN, gigabytes
from alignrec_geo.errors import InputError


class Database:
    """A connection with limits; made by :func:`open_database`.

    Args:
        connection: of DuckDB.
        memory: bytes that the whole process may take, for errors.
    """

    def __init__(self, connection: Any, memory: int) -> None:
        self._connection, self._memory = connection, memory

    def run(self, statement: str, *values: object) -> None:
        """Run a statement.

        Raises:
            InputError: the memory or the disk is too small for it.
        """
        with self._limits():
            self._connection.execute(statement, list(values)).fetchall()

    def number(self, query: str) -> int:
        """The one number that a query gives."""
        with self._limits():
            return int(self._connection.sql(query).fetchall()[0][0])

    def frame(self, query: str) -> pl.DataFrame:
        """What a query gives, in memory."""
        with self._limits():
            return pl.DataFrame(pl.from_arrow(self._connection.sql(query).to_arrow_table()))

    @contextmanager
    def _limits(self) -> Iterator[None]:
        import duckdb

        try:
            yield
        except duckdb.OutOfMemoryException as error:
            if "max_temp_directory_size" in str(error):
                raise OSError(28, os.strerror(28)) from None
            raise InputError(
                f"memory='{gigabytes(self._memory)}' is too little for these interactions; "
                f"try memory='{gigabytes(2 * self._memory)}'"
            ) from None

    @contextmanager
    def view(self, name: str, frame: pl.DataFrame) -> Iterator[None]:
        """Let queries read a frame under a name."""
        self._connection.register(name, frame.to_arrow())
        try:
            yield
        finally:
            self._connection.unregister(name)


def quoted(path: Path) -> str:
    """A path as a statement has it.

    Example:
        >>> quoted(Path("it's.parquet"))
        "'it''s.parquet'"
    """
    return "'" + str(path).replace("'", "''") + "'"


@contextmanager
def open_database(folder: Path, memory: int) -> Iterator[Database]:
    """Open an empty database in an empty folder.

    Args:
        folder: for the database and what goes to disk.
        memory: bytes that the whole process may take.

    Raises:
        InputError: DuckDB is not installed.
    """
    try:
        import duckdb
    except ImportError:
        raise InputError("memory= needs DuckDB, which is not installed: pip install 'alignrec-geo[stream]'") from None
    settings: dict[str, Any] = {
        "memory_limit": f"{memory - OWN}B",
        "threads": len(os.sched_getaffinity(0)),
        "temp_directory": str(folder / "spill"),
        "preserve_insertion_order": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "checkpoint_threshold": "1GB",
    }
    connection = duckdb.connect(str(folder / "database"), config=settings)
    try:
        yield Database(connection, memory)
    finally:
        connection.close()
