"""Results for many, written to a file with a bar."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alignrec_geo.cli.engine import results_alone
from alignrec_geo.cli.output import print_json, print_notes, stderr, stdout
from alignrec_geo.cli.progress_bars import progress_bars
from alignrec_geo.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from alignrec_geo.serving import FrameStream
    from alignrec_geo.serving.blocks import Engine

Out = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Write .parquet, .csv, .tsv or .jsonl instead of printing.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the file of --out.")]
Lists = Annotated[
    bool, typer.Option("--lists", help="One row for each who asked, with lists; in Parquet and JSON lines.")
]

Resume = Annotated[
    bool, typer.Option("--resume", help="Keep what is done in FILE.parts until all is, and go on with what is there.")
]


def check_output(
    out: Path | None, overwrite: bool, lists: bool, run: Path, inputs: Iterable[Path | None], **needs_out: bool
) -> None:
    """Check ``--out`` before anything is read: no input of the command is replaced, nor a file of the run.

    Args:
        out: the file.
        overwrite: it may be replaced.
        lists: one row for each who asked.
        run: the run folder.
        inputs: other files that the command reads.
        needs_out: options that make sense with ``--out`` only, and whether they were given.

    Raises:
        InputError: it cannot be written, or such an option without it.
    """
    given = next((name for name, there in {**needs_out, "lists": lists}.items() if there), None)
    if out is None and given is not None:
        raise InputError(f"--{given.replace('_', '-')} needs a file to write; name it with --out FILE")
    if out is not None:
        from alignrec_geo.serving.frame_files import table_to_write
        from alignrec_geo.training.run_folder import RUN

        table_to_write(out, overwrite, [*inputs, *RUN.files(run)], lists)


def write_stream(
    stream: "FrameStream",
    what: str,
    run: Path,
    out: Path,
    overwrite: bool,
    lists: bool,
    as_json: bool,
    resume: bool = False,
    engine: "Engine | None" = None,
) -> None:
    """Write all frames and say what was written.

    Args:
        stream: the frames.
        what: those who asked: ``users``.
        run: the run folder, for the output.
        out: the file.
        overwrite: replace it.
        lists: one row for each who asked.
        as_json: print one JSON object.
        resume: keep what is done, and go on with what is there.
        engine: computes the frames; this process if not given.
    """
    started = time.perf_counter()
    with results_alone(), progress_bars() as report:
        rows = stream.write(out, overwrite, lists, report(what), resume, engine)
    seconds = round(time.perf_counter() - started, 1)
    if as_json:
        said: dict[str, Any] = {"run": str(run), "file": str(out), what: len(stream), "left_out": len(stream.left_out)}
        print_json({**said, "rows": rows, "notes": stream.notes, "seconds": seconds})
        return
    print_notes([*stream.notes, *left_out_note(stream.left_out, what)])
    stdout.print(f"{out}: {rows:,} rows for {len(stream):,} {what}", soft_wrap=True)
    stderr.print(f"{seconds} s", soft_wrap=True)


def left_out_note(ids: "pl.Series", what: str) -> list[str]:
    """Say who got no answer, with examples."""
    if not len(ids):
        return []
    examples = ", ".join(f"'{name}'" for name in ids.head(3).to_list())
    return [
        f"{len(ids):,} {what} that are unknown or have no training interaction were left out, for example {examples}"
    ]
