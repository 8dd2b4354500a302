"""The rows of a table, checked and typed part by part, in tables of a database."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import polars as pl

from alignrec_geo.dataset.ids import written_as_floats
from alignrec_geo.dataset.readers.bad_rows import check_enough_kept
from alignrec_geo.dataset.readers.pairs import PairColumns, PairFacts, numbers_after, read_pairs, told_columns
from alignrec_geo.dataset.readers.rows import Table
from alignrec_geo.dataset.readers.table_chunks import ChunkedTable
from alignrec_geo.dataset.readers.times import Moments, check_nanos, count_times, likelier, read_times
from alignrec_geo.dataset.streaming.database import Database

IDS = ("user", "item")


class _Otherwise(Exception):
    """The rows have to be read again, as what they are is known only now."""

    def __init__(self, times: "Times") -> None:
        self.times = times


@dataclass(frozen=True)
class Times:
    """How the column of times is to be read, as far as that depends on all rows.

    Args:
        texts: whether texts are ``numbers`` or ``dates``; ``None`` while all are of one kind.
        nanos: some are as fine as nanoseconds, which 64 bits can count for some years only.
    """

    texts: str | None = None
    nanos: bool = False


@dataclass
class Staged:
    """Rows in tables of a database, one for each combination of types that their parts have.

    Args:
        facts: what there is to say of them.
        tables: columns and types by the name of the table.
        whole: whether the ids of users and items were whole numbers.
        as_floats: whether all of them were texts of whole numbers written with ``.0``.
        finest: 1 where times are seconds, 1,000,000 where one has microseconds, 1,000,000,000 nanoseconds.
    """

    facts: PairFacts = field(default_factory=PairFacts)
    tables: dict[str, dict[str, pl.DataType]] = field(default_factory=dict)
    whole: dict[str, bool] = field(default_factory=dict)
    as_floats: dict[str, bool] = field(default_factory=dict)
    finest: int = 1

    def rows(self) -> str:
        """The query of all rows: ids in one type, times in one unit."""
        return " UNION ALL ".join(
            f"SELECT {', '.join(self._columns(kinds))} FROM {name}" for name, kinds in self.tables.items()
        )

    def _columns(self, kinds: dict[str, pl.DataType]) -> list[str]:
        chosen = [self._id(kind, kinds[kind]) for kind in IDS]
        if "nanos" in kinds:
            chosen.append(f"timestamp * {self.finest} + nanos // {1_000_000_000 // self.finest} AS timestamp")
        elif "timestamp" in kinds:
            floats = any(part["timestamp"].is_float() for part in self.tables.values())
            chosen.append("timestamp::DOUBLE AS timestamp" if floats else "timestamp")
        return [*chosen, *(name for name in kinds if name not in (*IDS, "timestamp", "nanos"))]

    def _id(self, kind: str, given: pl.DataType) -> str:
        if all(part[kind].is_integer() for part in self.tables.values()):
            return f'"{kind}"'
        text = f'"{kind}"::VARCHAR'
        return f'{text[: -len("::VARCHAR")]}[:-3] AS "{kind}"' if self.as_floats[kind] else f'{text} AS "{kind}"'


def stage(table: ChunkedTable, columns: PairColumns, database: Database, progress: Callable[[int], object]) -> Staged:
    """Read all rows of a table into a database.

    Args:
        table: the rows.
        columns: what they hold.
        database: gets tables ``rows_0``, ``rows_1``, …
        progress: called after every part with how many rows there are.

    Raises:
        InputError: a row cannot be used, or too many of those that can be left out.
    """
    times = Times()
    while True:  # again at most three times: each time one more thing about times is known
        try:
            return _stage(table, columns, database, times, progress)
        except _Otherwise as known:
            times = known.times


def _stage(
    table: ChunkedTable,
    columns: PairColumns,
    database: Database,
    times: Times,
    progress: Callable[[int], object],
) -> Staged:
    staged = Staged()
    try:
        for part in table:
            _add(part, columns, database, times, staged)
            progress(staged.facts.rows)
        mixed = {"nanos" in kinds for kinds in staged.tables.values()}
        if len(mixed) > 1:
            raise _Mixed
    except _Mixed:
        _forget(database, staged)
        raise _Otherwise(replace(times, texts=_meant(table, columns))) from None
    if staged.finest == 1_000_000_000 and not times.nanos:
        _forget(database, staged)
        raise _Otherwise(replace(times, nanos=True))
    check_enough_kept(table.label, staged.facts.left_out, staged.facts.rows)
    return staged


class _Mixed(Exception):
    """Some texts are numbers, others are not."""


def _add(part: Table, columns: PairColumns, database: Database, times: Times, staged: Staged) -> None:
    """Type a part and put it into a table of its kind."""
    frame, kept, facts = read_pairs(part, columns, lambda rows: _typed(rows, columns, times), part=True)
    before = staged.facts.rows
    staged.facts = staged.facts.and_then(facts)
    for kind, name in (("user", columns.user), ("item", columns.item)):
        staged.whole[kind] = staged.whole.get(kind, True) and part.frame[name].dtype.is_integer()
        if frame.height:
            floats = kept.frame[name].dtype == pl.String and written_as_floats(frame[f"{kind} as written"])
            staged.as_floats[kind] = staged.as_floats.get(kind, True) and floats
    if not frame.height:
        return
    if "nanos" in frame.columns:
        nanos = frame["nanos"].to_numpy()
        finest = 1 if not nanos.any() else 1_000_000 if not (nanos % 1000).any() else 1_000_000_000
        staged.finest = max(staged.finest, finest)
    frame = frame.drop(f"{kind} as written" for kind in IDS).with_columns(map(_compact, frame.select(IDS)))
    frame = frame.with_columns(pl.int_range(before, before + frame.height, dtype=pl.Int64).alias("row"))
    kinds = dict(frame.schema)
    alike = next((table for table, known in staged.tables.items() if known == kinds), None)
    target = alike or f"rows_{len(staged.tables)}"
    with database.view("part", frame):
        database.run(f"{f'INSERT INTO {target}' if alike else f'CREATE TABLE {target} AS'} SELECT * FROM part")
    staged.tables[target] = kinds


def _typed(table: Table, columns: PairColumns, times: Times) -> pl.DataFrame:
    def decide(numbers: int, dates: int, texts: int) -> bool:
        if times.texts is not None:
            return times.texts == "numbers"
        if dates == texts:
            return False
        if columns.skip_bad_rows:  # what most of all texts are decides which are left out
            raise _Mixed
        return likelier(numbers, dates, texts)  # for the error; one is to come in any case

    typed = told_columns(table, columns, as_written=True)
    if columns.timestamp is not None:
        found = read_times(table, columns.timestamp, decide, times.texts == "dates")
        if isinstance(found, Moments):
            if times.nanos:
                check_nanos(table, columns.timestamp, found)
            typed["timestamp"] = pl.Series(found.seconds)
            typed["nanos"] = pl.Series(found.nanos, dtype=pl.Int32)
        else:
            typed["timestamp"] = found
    return pl.DataFrame(numbers_after(typed, table, columns))


def _meant(table: ChunkedTable, columns: PairColumns) -> str:
    """Whether the texts of the column of times are numbers or dates, by all of them."""
    assert columns.timestamp is not None
    numbers = dates = texts = 0
    for part in table:
        found = count_times(part.column(columns.timestamp), part.decimal)
        numbers, dates, texts = numbers + found[0], dates + found[1], texts + part.frame.height
    return "numbers" if likelier(numbers, dates, texts) else "dates"


def _compact(ids: pl.Series) -> pl.Series:
    """Ids as whole numbers if they can be written back as they are."""
    numbers = ids.cast(pl.Int64, strict=False)
    plain = not numbers.null_count() and bool((numbers.cast(pl.String) == ids).all())
    return numbers if plain else ids


def _forget(database: Database, staged: Staged) -> None:
    for name in staged.tables:
        database.run(f"DROP TABLE {name}")
