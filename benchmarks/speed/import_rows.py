"""How long the import of a table of interactions takes, and how much memory, in memory and streamed.

    python benchmarks import_rows                                 # 4 million rows both ways, 10 million streamed
    python benchmarks import_rows --rows 1e8 --memory 4GB --kills 2 --within 300 --name import-100m

Rows are drawn by DuckDB into Parquet: users and items by a skewed law, times, ratings, some pairs twice. Every import
is the verb in a process of its own, whose memory is watched. With ``--kills`` it is killed at random moments first, of
an undisturbed run or of so many seconds, and nothing but the new run may be left of that.
"""

import random
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from harness.measure import report, results_folder, say
from harness.process_tree import Watched, watch
from harness.program import run_program

from alignrec_geo.files import read_object, write_json


def main(
    rows: Annotated[str, typer.Option(help="Rows, comma-separated: 1e6,1e7.")] = "4e6,1e7",
    memory: Annotated[str, typer.Option(help="What --memory is given.")] = "4GB",
    also_in_memory: Annotated[float, typer.Option(help="Rows up to which the path in memory is measured too.")] = 4e6,
    rule: Annotated[str, typer.Option(help="Split rule.")] = "random",
    files: Annotated[int, typer.Option(help="Parquet files that hold the rows.")] = 4,
    kills: Annotated[int, typer.Option(help="Kills before the run that is measured.")] = 0,
    within: Annotated[float | None, typer.Option(help="Seconds in which it is killed; an undisturbed run's.")] = None,
    describe: Annotated[bool, typer.Option("--describe", help="Also measure 'data describe' of the result.")] = False,
    folder: Annotated[Path | None, typer.Option(help="Where to work; a temporary folder if not given.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the moments of kills.")] = 0,
    name: Annotated[str, typer.Option(help="Name of the result.")] = "import-rows",
    quick: Annotated[bool, typer.Option("--quick", help="A few rows; nothing is stored.")] = False,
    results: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
) -> None:
    """Print one JSON object and store it."""
    sizes = [20_000] if quick else [int(float(size)) for size in rows.split(",")]
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir=folder) as work:
        for size in sizes:
            where = Path(work) / str(size)
            where.mkdir()
            say(f"drawing {size:,} rows")
            draw_rows(where / "clicks", size, files)
            ways = {"streamed": ["--memory", memory]} | ({"in memory": []} if size <= also_in_memory else {})
            for way, options in ways.items():
                found.append(
                    {"rows": size, "way": way, **one(where, rule, options, kills if options else 0, within, seed)}
                )
                say(str(found[-1]))
            if describe:
                seen = watch([sys.executable, "-m", "alignrec_geo.cli.app", "data", "describe", str(where / "out")])
                found.append({"rows": size, "way": "describe", **measured(seen)})
                say(str(found[-1]))
    content = {
        "ratio": None,
        "limit_ratio": None,
        "imports": found,
        "memory_given": memory,
        "rule": rule,
        "files": files,
        "seed": seed,
    }
    report(name, content, results_folder(quick, results))


def draw_rows(folder: Path, rows: int, files: int) -> None:
    """Write rows into Parquet files: about 20 for each user, a fifth of one per cent of them pairs that come again."""
    import duckdb

    folder.mkdir()
    with duckdb.connect(config={"memory_limit": "2GB", "temp_directory": str(folder / ".spill")}) as database:
        for number in range(files):
            first, last = rows * number // files, rows * (number + 1) // files
            database.execute(
                f"""COPY (SELECT (hash(range) % {rows // 20})::BIGINT AS "user",
                (power((hash(range * 7 + 1) % 1000000) / 1e6, 2) * {rows // 200})::BIGINT AS item,
                (1600000000 + hash(range * 13 + 5) % 100000000)::BIGINT AS time,
                (1 + hash(range * 3) % 5)::FLOAT AS rating
                FROM range({first}, {last})) TO '{folder}/part-{number:03}.parquet' (FORMAT parquet)"""
            ).fetchall()


def one(where: Path, rule: str, options: list[str], kills: int, within: float | None, seed: int) -> dict[str, Any]:
    """Import once, after so many kills at random moments: a killed run changes nothing, and leaves nothing behind."""
    out = where / "out"
    command = [sys.executable, "-m", "alignrec_geo.cli.app", "data", "import", "table", str(where / "clicks")]
    command += ["--timestamp", "time", "--rating", "rating", "--rule", rule, "--out", str(out), "--overwrite", "--json"]
    chance, lasts, early = random.Random(seed), within or 0.0, 0
    with (where / "said.json").open("w+") as said:
        if kills and within is None:
            lasts = watch([*command, *options], stdout=said).seconds
        before = files_of(out)
        for _ in range(kills):
            killed = watch([*command, *options], until=chance.random() * lasts, stdout=said)
            early += killed.code != 0
            assert files_of(out) == before, "a killed import changed the data set"
        said.seek(0)
        said.truncate()
        seen = watch([*command, *options], stdout=said)
    assert seen.code == 0, seen
    assert not kills or before in (None, files_of(out)), "another result after kills"
    left = [path.name for path in where.iterdir() if path.name.startswith(".")]
    assert not left, f"left behind: {left}"
    made = read_object(where / "said.json")
    write_json(where / "made.json", made)
    counts = {key: made[key] for key in ("users", "items", "interactions")}
    return {**measured(seen), **counts, "kills": early, "dataset_gb": size_of(out)}


def files_of(folder: Path) -> dict[str, str] | None:
    """The hashes of a data set, if there is one."""
    return read_object(folder / "dataset.json")["files"] if folder.exists() else None


def measured(seen: Watched) -> dict[str, Any]:
    """The numbers of a process."""
    return {"peak_memory_gb": seen.peak_gb, "seconds": seen.seconds, "cpu_seconds": seen.cpu_seconds}


def size_of(folder: Path) -> float:
    """Gigabytes of the files of a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e9


if __name__ == "__main__":
    run_program(main)
