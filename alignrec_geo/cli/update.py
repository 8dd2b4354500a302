"""``alignrec-geo update``: a run trained on with new pairs, users and items."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alignrec_geo.cli.device import DeviceOption
from alignrec_geo.cli.import_options import ItemColumn, RatingColumn, TimestampColumn, UserColumn
from alignrec_geo.cli.new_items import MovedDatasetOption, NewImagesOption, encoder_folders, new_items
from alignrec_geo.cli.output import JsonFlag, print_json, print_metrics, print_notes, stderr
from alignrec_geo.cli.progress_bars import progress_bars
from alignrec_geo.cli.run_argument import RunArgument
from alignrec_geo.training.update_defaults import EPOCHS, KEEP

if TYPE_CHECKING:
    from alignrec_geo.dataset.store import Dataset


def update(
    run: RunArgument,
    interactions: Annotated[
        Path, typer.Option("--interactions", metavar="FILE", help="New pairs: CSV, TSV, Parquet or JSON lines.")
    ],
    items: Annotated[
        Path | None,
        typer.Option("--items", metavar="FILE", help="New items, one JSON object per line, as of embed."),
    ] = None,
    images: NewImagesOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="New run folder; RUN-updated if not given.")
    ] = None,
    data_out: Annotated[
        Path | None,
        typer.Option("--data-out", metavar="DIR", help="New data set folder; else DATASET-updated."),
    ] = None,
    user: UserColumn = "user",
    item: ItemColumn = "item",
    timestamp: TimestampColumn = None,
    rating: RatingColumn = None,
    weight: Annotated[str | None, typer.Option("--weight", metavar="COLUMN", help="Column of the weight.")] = None,
    separator: Annotated[str | None, typer.Option("--separator", help="Separator of a text file.")] = None,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Epochs at most.")] = EPOCHS,
    keep: Annotated[
        float,
        typer.Option("--keep", min=0, max=1, help="Share of the old parameters to begin with; the rest are fresh."),
    ] = KEEP,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Training settings that differ. Repeatable.")
    ] = None,
    dataset: MovedDatasetOption = None,
    encoders: Annotated[
        list[str] | None,
        typer.Option("--encoder", metavar="NAME=FOLDER", help="Folder of the encoder of features NAME, as of embed."),
    ] = None,
    device: DeviceOption = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is in --out and --data-out.")] = False,
    trust: Annotated[bool, typer.Option("--trust", help="Run code (class paths) that the run names.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Train a run on with new interactions, users and items, from its parameters.

    Example: alignrec-geo update runs/shop --interactions today.csv --items new.jsonl --out runs/shop-today

    The run and its data set stay as they are. The new pairs are training pairs; what was held out stays held out,
    chooses the epoch and is what is tested. New users begin as their histories say, new items as their content says.
    """
    from alignrec_geo.cli.progress import TrainingProgress
    from alignrec_geo.dataset.readers.table import TableConfig, read_table
    from alignrec_geo.dataset.splits import SplitConfig
    from alignrec_geo.explaining.score_parts import score_parts
    from alignrec_geo.reporting.run_report import write_run_report
    from alignrec_geo.reporting.run_words import how_chosen
    from alignrec_geo.settings import checked
    from alignrec_geo.training.run_config import RunConfig
    from alignrec_geo.training.run_files import CONFIG
    from alignrec_geo.training.run_folder import RunFolder
    from alignrec_geo.training.update import data_set_of, update_run

    config = RunConfig.load(run / CONFIG, trust=True)  # code is refused where the model is built
    data = data_set_of(run, config, dataset)
    table = {"interactions": interactions, "separator": separator, "rule": SplitConfig(rule="all-train")}
    columns = {"user": user, "item": item, "timestamp": timestamp, "rating": rating, "weight": weight}
    pairs = read_table(checked(TableConfig, {**table, **columns}))
    print_notes(pairs.notes)
    content = _content(items, images, data, list(config.features or []), encoders or [])
    to_run = run.with_name(f"{run.name}-updated") if out is None else out
    old = Path(str(config.dataset or run / "dataset"))
    to_data = old.with_name(f"{old.name}-updated") if data_out is None else data_out
    wanted = [f"training.epochs={epochs}", f"training.device={device}", *(settings or [])]
    resolved = RunConfig.resolve(config.model_dump(mode="json"), wanted)
    with TrainingProgress(resolved.training.metric, resolved.training.epochs) as progress:
        done = update_run(
            run,
            pairs,
            to_run,
            to_data,
            dataset=data,
            training=resolved.training,
            keep=keep,
            overwrite=overwrite,
            trust=trust,
            observers=[progress],
            **content,
        )
    write_run_report(to_run, score_parts(done.model))
    result, more = RunFolder(to_run).read_result(), done.extension
    if as_json:
        counts = {"pairs": more.pairs, "known": more.known, "users": more.users, "items": more.items}
        print_json({**result, "run": str(to_run), "dataset": to_data.name, "path": str(to_data), "new": counts})
        return
    if result["metrics"]:
        print_metrics(f"{config.model} on {to_data.name}, test, protocol {config.protocol}", result["metrics"])
    known = f" ({more.known:,} were known)" if more.known else ""
    stderr.print(
        f"{more.pairs:,} new pairs{known}, {more.users:,} new users, {more.items:,} new items; {how_chosen(result)}; "
        f"{result['seconds']:.0f} s; run folder {to_run}, data set {to_data}",
        soft_wrap=True,
    )


def _content(
    file: Path | None, images: Path | None, data: "Dataset", features: list[str], encoders: list[str]
) -> dict[str, Any]:
    """What a file of new items says of them: table, feature rows and images."""
    import polars as pl

    from alignrec_geo.content.item_encoding.encode_items import encode_items
    from alignrec_geo.content.item_encoding.open import brought_widths

    found = new_items(file, images, data, brought_widths(data, features))
    if not found:
        return {}
    with progress_bars() as report:
        parts, broken = encode_items(data, features, found, encoder_folders(encoders, features), report=report)
    print_notes(f"the image of item '{item}' cannot be read ({why})" for item, why in broken.items())
    table = {"id": [one.id for one in found], "title": [one.title for one in found]}
    text = [one.description for one in found]
    schema = dict.fromkeys(("id", "title", "text"), pl.String)
    return {
        "items": pl.DataFrame({**table, "text": text}, schema=schema),
        "rows": {part.name: (part.x.numpy(), part.present.numpy()) for part in parts},
        "images": {one.id: one.image for one in found if one.image is not None and one.id not in broken},
    }
