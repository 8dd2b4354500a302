"""``alignrec-geo export``: a run as files of other systems."""

from pathlib import Path
from typing import Annotated

import typer

from alignrec_geo.cli.new_items import MovedDatasetOption
from alignrec_geo.cli.output import JsonFlag, print_json, print_table, stderr, stdout
from alignrec_geo.cli.run_argument import RunArgument


def export(
    run: RunArgument,
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help="parquet, faiss, onnx or torch-export.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder to write; RUN-FORMAT if not given.")
    ] = None,
    k: Annotated[
        int | None,
        typer.Option(
            "-k", "--k", min=1, help="parquet: also write everybody's K best items. Programs: items they rank (50)."
        ),
    ] = None,
    float16: Annotated[bool, typer.Option("--float16", help="Vectors in half precision.")] = False,
    include_cold: Annotated[bool, typer.Option("--include-cold", help="With the items of 'embed'.")] = False,
    programs: Annotated[
        str | None,
        typer.Option("--programs", metavar="LIST", help="onnx, torch-export: scorer, item-encoder; all if not given."),
    ] = None,
    dataset: MovedDatasetOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Write a run as files that need nothing of alignrec-geo to be loaded.

    Example: alignrec-geo export runs/shop --to parquet -k 20

    parquet holds users and items with ids and vectors. faiss is an index with ids (alignrec-geo[ann]). onnx
    (alignrec-geo[onnx]) and torch-export hold the ranking as a program and, for runs with features, the encoder of
    items that the run has not seen. What was written is read back and compared with the run; README.md in the folder
    says how to load it.
    """
    from alignrec_geo.cli.comparing import split_names
    from alignrec_geo.exporting import ExportOptions, export_run

    target = run.with_name(f"{run.resolve().name}-{to}") if out is None else out
    chosen = None if programs is None else split_names(programs)
    options = ExportOptions(k, float16, include_cold, chosen, dataset)
    manifest = export_run(run, to, target, options, overwrite)
    if as_json:
        print_json({"path": str(target), **manifest})
        return
    rows = [(name, f"{facts['bytes']:,}") for name, facts in manifest["files"].items()]
    print_table(f"{target}", ("file", "bytes"), rows)
    for name, compared in manifest["checked"].items():
        said = ", ".join(f"{key.replace('_', ' ')} {value:.3g}" for key, value in compared.items())
        stdout.print(f"read back, {name}: {said}", soft_wrap=True)
    stderr.print(f"how to load it: {target / 'README.md'}", soft_wrap=True)
