"""``data import table --memory``: how an import that goes through the disk is shown."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

from alignrec_geo.cli.data_summary import line_of, summary_of
from alignrec_geo.cli.output import print_json, print_notes, stdout
from alignrec_geo.cli.progress_bars import counting

if TYPE_CHECKING:
    from alignrec_geo.dataset.readers.table import TableConfig


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
