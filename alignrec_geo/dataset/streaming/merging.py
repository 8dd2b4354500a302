"""Duplicates, filters and row numbers of interactions in a database: what ``dataset.build`` does in memory."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from alignrec_geo.dataset.build import check_any, filter_notes, item_table, sorted_ids
from alignrec_geo.dataset.filters import FilterConfig, check_rated
from alignrec_geo.dataset.interactions import OPTIONAL, Split
from alignrec_geo.dataset.streaming.database import Database, quoted
from alignrec_geo.dataset.streaming.staged import IDS, Staged


@dataclass(frozen=True)
class Numbered:
    """Interactions in row numbers, in a Parquet file: ``user``, ``item`` and what else is told of them.

    Args:
        file: in the order of the rows that they come from.
        rows: how many.
        users: external ids of the users.
        items: the items, one row each.
        notes: what was left out.
    """

    file: Path
    rows: int
    users: pl.Series
    items: pl.DataFrame
    notes: list[str]


def written_ids(database: Database, staged: Staged) -> dict[str, pl.Series]:
    """Make the view ``every_row``, and return the different ids of users and items where some have spaces around them.

    Where none has, nobody asks for them.
    """
    database.run(f"CREATE VIEW every_row AS {staged.rows()}")
    nothing = pl.Series("id", [], dtype=pl.String)
    return {
        kind: database.frame(f'SELECT DISTINCT "{kind}"::VARCHAR AS id FROM every_row')["id"]
        if staged.facts.spaced[kind].count
        else nothing
        for kind in IDS
    }


def code_ids(database: Database, drop_unused: bool) -> None:
    """Give users and items codes, in tables ``user_ids`` and ``item_ids``: in the order in which they first come."""
    kept = f" WHERE split <> {int(Split.UNUSED)}" if drop_unused else ""
    database.run(f"CREATE VIEW some_rows AS SELECT * FROM every_row{kept}")
    for kind in IDS:
        database.run(
            f"CREATE TABLE {kind}_ids AS SELECT id, (row_number() OVER (ORDER BY first) - 1)::INTEGER AS code "
            f'FROM (SELECT "{kind}" AS id, min("row") AS first FROM some_rows GROUP BY 1)'
        )


def ids_of(database: Database, kind: str) -> pl.Series:
    """External ids of all users or items, as text, in the order in which they first come."""
    return database.frame(f"SELECT id FROM {kind}_ids ORDER BY code")["id"].cast(pl.String)


def number_rows(
    database: Database,
    name: str,
    filters: FilterConfig,
    columns: list[str],
    items: tuple[pl.DataFrame | None, bool],
    target: Path,
) -> Numbered:
    """Filter by rating, merge duplicates, take the k-core and number users and items.

    Args:
        database: after :func:`code_ids`.
        name: of the data set, for errors.
        filters: to apply.
        columns: that the rows have beside their ids and their order.
        items: what is told of items, and whether those without a pair are kept; see
            :func:`~alignrec_geo.dataset.build.item_table`.
        target: Parquet file to write.

    Raises:
        InputError: no interactions (left), or no ratings for a minimum rating.
    """
    told = [column for column in ("split", *OPTIONAL) if column in columns]
    every = database.number("SELECT count(*) FROM some_rows")
    check_any(name, every)
    rated = _coded(database, filters, told)
    check_any(name, rated, filters)
    merged = _merge(database, told)
    core = merged if filters.k_core == 1 else _core(database, filters.k_core)
    check_any(name, core, filters)
    notes = filter_notes(filters, every - rated, rated - merged, merged - core, weighted="weight" in told)
    kept = {kind: _kept_ids(database, kind) for kind in IDS}
    users = sorted_ids(kept["user"]["id"])
    table = item_table(kept["item"]["id"], *items)
    numbers = {"user": _numbers(kept["user"], users), "item": _numbers(kept["item"], table["id"])}
    with database.view("user_numbers", numbers["user"]), database.view("item_numbers", numbers["item"]):
        database.run(
            f'COPY (SELECT u.number AS "user", i.number AS item{"".join(f", {column}" for column in told)} FROM pairs '
            'JOIN user_numbers u ON pairs."user" = u.code JOIN item_numbers i ON pairs.item = i.code ORDER BY "row") '
            f"TO {quoted(target)} (FORMAT parquet, COMPRESSION lz4, ROW_GROUP_SIZE 1048576)"
        )
    return Numbered(target, core, users, table, notes)


def _coded(database: Database, filters: FilterConfig, told: list[str]) -> int:
    """Make the table ``pairs``, with codes in place of ids, of the rows that are rated high enough."""
    where, values = "", []
    if filters.min_rating is not None:
        check_rated(filters.min_rating, told)
        where, values = " WHERE rating >= ?::FLOAT", [filters.min_rating]
    database.run(
        f'CREATE TABLE pairs AS SELECT u.code AS "user", i.code AS item, "row"{"".join(f", {name}" for name in told)} '
        f'FROM some_rows r JOIN user_ids u ON r."user" = u.id JOIN item_ids i ON r.item = i.id{where}',
        *values,
    )
    return database.number("SELECT count(*) FROM pairs")


def _merge(database: Database, told: list[str]) -> int:
    """Leave one row of each pair: of the earliest split, then time, then row; weights of its split are added up."""
    database.run('CREATE TABLE repeated AS SELECT "user", item FROM pairs GROUP BY "user", item HAVING count(*) > 1')
    if database.number("SELECT count(*) FROM repeated"):
        split = f"CASE WHEN split = {int(Split.UNUSED)} THEN 127 ELSE split END"
        order = ", ".join([split] * ("split" in told) + ["timestamp"] * ("timestamp" in told) + ['"row"'])
        one = ", ".join(['"user"', "item", *(["split"] if "split" in told else [])])
        summed = (
            f"REPLACE ((sum(weight::DOUBLE) OVER (PARTITION BY {one}))::FLOAT AS weight)" if "weight" in told else ""
        )
        same = 'USING ("user", item)'
        database.run(
            f"CREATE TABLE merged AS SELECT * FROM pairs ANTI JOIN repeated {same} UNION ALL "
            f"(SELECT * {summed} FROM pairs SEMI JOIN repeated {same} "
            f'QUALIFY row_number() OVER (PARTITION BY "user", item ORDER BY {order}) = 1)'
        )
        database.run("DROP TABLE pairs")
        database.run("ALTER TABLE merged RENAME TO pairs")
    database.run("DROP TABLE repeated")
    return database.number("SELECT count(*) FROM pairs")


def _core(database: Database, k: int) -> int:
    """Leave the k-core: users and items with fewer rows go, again and again, until none is left that has fewer."""
    for kind in IDS:
        database.run(f'CREATE TABLE {kind}_core AS SELECT "{kind}" FROM pairs GROUP BY 1 HAVING count(*) >= {k}')
    sizes: dict[str, int] = {}
    while (found := {kind: database.number(f"SELECT count(*) FROM {kind}_core") for kind in IDS}) != sizes:
        sizes = found
        for kind in IDS:
            database.run(
                f'CREATE OR REPLACE TABLE {kind}_core AS SELECT "{kind}" FROM pairs SEMI JOIN user_core USING ("user") '
                f"SEMI JOIN item_core USING (item) GROUP BY 1 HAVING count(*) >= {k}"
            )
    database.run(
        'CREATE TABLE core AS SELECT * FROM pairs SEMI JOIN user_core USING ("user") SEMI JOIN item_core USING (item)'
    )
    database.run("DROP TABLE pairs")
    database.run("ALTER TABLE core RENAME TO pairs")
    return database.number("SELECT count(*) FROM pairs")


def _kept_ids(database: Database, kind: str) -> pl.DataFrame:
    """Codes and ids of the users or items that have a row, as text."""
    query = f'SELECT code, id FROM {kind}_ids SEMI JOIN (SELECT DISTINCT "{kind}" AS code FROM pairs) USING (code)'
    return database.frame(query).with_columns(pl.col("id").cast(pl.String))


def _numbers(kept: pl.DataFrame, ids: pl.Series) -> pl.DataFrame:
    """The row number of each code."""
    numbers = ids.to_frame("id").with_row_index("number").with_columns(pl.col("number").cast(pl.Int32))
    return kept.join(numbers, on="id", how="inner").select("code", "number")
