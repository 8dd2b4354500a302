"""``alignrec-geo score``: the scores of given pairs of user and item."""

import time
from pathlib import Path
from typing import Annotated

import typer

from alignrec_geo.cli.bulk_output import Out, Overwrite, check_output
from alignrec_geo.cli.device import DeviceOption
from alignrec_geo.cli.import_options import ItemColumn, UserColumn
from alignrec_geo.cli.output import JsonFlag, print_json, print_notes, print_table, stderr, stdout
from alignrec_geo.cli.rules import IncludeCold
from alignrec_geo.cli.run_argument import RunArgument

MOST_SHOWN = 20
"""Rows that are printed where no file is named."""


def score(
    run: RunArgument,
    pairs: Annotated[
        Path,
        typer.Option(
            "--pairs", metavar="FILE", help="Table with a column of users and one of items.", show_default=False
        ),
    ],
    user: UserColumn = "user",
    item: ItemColumn = "item",
    unknown: Annotated[
        str,
        typer.Option(
            "--unknown",
            metavar="error|popular|skip",
            help="Pairs whose user has no training interaction or whose item is unknown: an error, the number of the "
            "item's training interactions, or left out.",
        ),
    ] = "skip",
    include_cold: IncludeCold = False,
    out: Out = None,
    overwrite: Overwrite = False,
    device: DeviceOption = "cpu",
    as_json: JsonFlag = False,
) -> None:
    """Score given pairs of user and item; the table comes back with the columns score and source.

    Example: alignrec-geo score runs/catalogue --pairs pairs.csv --out scored.csv

    CSV, TSV, JSON lines and Parquet in and out. Without --out the first rows are printed.
    """
    from alignrec_geo.dataset.readers.table_files import read_table_file
    from alignrec_geo.device import choose_device
    from alignrec_geo.serving.frame_files import write_frame
    from alignrec_geo.serving.scores import score_pairs
    from alignrec_geo.serving.store import load_top_items

    started = time.perf_counter()
    check_output(out, overwrite, False, run, [pairs])
    table = read_table_file(pairs)
    top = load_top_items(run, include_cold, choose_device(device))
    scored, left_out = score_pairs(top, table, user, item, unknown, include_cold)
    if out is not None:
        write_frame(scored, out, overwrite)
    seconds = round(time.perf_counter() - started, 1)
    if as_json:
        told = (
            {"file": str(out)}
            if out is not None
            else {"pairs": scored.select(user, item, "score", "source").to_dicts()}
        )
        print_json({"run": str(run), **told, "rows": scored.height, "left_out": left_out, "seconds": seconds})
        return
    if left_out:
        print_notes([f"{left_out:,} pairs of an unknown user or item were left out"])
    if out is None:
        rows = [
            [str(u), str(i), f"{s:.4f}", kind]
            for u, i, s, kind in scored.select(user, item, "score", "source").head(MOST_SHOWN).rows()
        ]
        print_table(f"{scored.height:,} pairs, the first {len(rows)}", [user, item, "score", "source"], rows)
    else:
        stdout.print(f"{out}: {scored.height:,} pairs", soft_wrap=True)
    stderr.print(f"{seconds} s", soft_wrap=True)
