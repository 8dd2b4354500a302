"""``data import table --memory``: how an import that goes through the disk is shown."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.filesize import decimal

from alignrec_geo.cli.data_summary import line_of, summary_of
from alignrec_geo.cli.output import print_json, print_notes, stdout
from alignrec_geo.cli.progress_bars import counting

if TYPE_CHECKING:
    from alignrec_geo.dataset.readers.table import TableConfig


MUCH = 2_000_000_000
"""Bytes of files from which on ``--memory`` is pointed out."""


def large(interactions: Sequence[Path]) -> list[str]:
    """What to say of tables that may not fit into memory."""
    from alignrec_geo.dataset.readers.table_sets import table_label, table_set_files

    size = sum(file.stat().st_size for file, _ in table_set_files(interactions) if file.is_file())
    said = f"{table_label(interactions)} holds {decimal(size)}, which takes several times as much memory"
    return [f"{said}; memory='4GB' reads Parquet and text in parts"] if size >= MUCH else []


def write_streamed(config: "TableConfig", out: Path, memory: str, overwrite: bool, json_: bool) -> None:
    """Import within a stated memory, and say what was made.

    Args:
        config: what to read.
        out: folder to write.
        memory: what the process may take.
        overwrite: replace a data set that is there.
        json_: print JSON.
    """
    from alignrec_geo.dataset.streaming.importing import import_table

    start = time.perf_counter()
    with counting("rows") as report:
        made = import_table(config, out, memory, overwrite, report)
    seconds = round(time.perf_counter() - start, 2)
    found = summary_of(made.name, made.counts, str(out))
    if json_:
        print_json({**found, "notes": made.notes, "seconds": seconds})
        return
    print_notes(made.notes)
    stdout.print(line_of(found), soft_wrap=True)
