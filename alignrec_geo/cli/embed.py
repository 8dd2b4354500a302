"""``alignrec-geo embed``: vectors for items that a run was not trained on."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alignrec_geo.cli.device import DeviceOption
from alignrec_geo.cli.new_items import MovedDatasetOption, NewImagesOption, encoder_folders, new_items
from alignrec_geo.cli.output import JsonFlag, print_json, print_notes, stderr, stdout
from alignrec_geo.cli.progress_bars import progress_bars
from alignrec_geo.cli.run_argument import check_run
from alignrec_geo.errors import InputError

if TYPE_CHECKING:
    from alignrec_geo.dataset.store import Dataset
    from alignrec_geo.training.run_config import RunConfig


def embed(
    run: Annotated[
        Path, typer.Argument(help="Run folder (made by 'train' with features).", show_default=False, callback=check_run)
    ],
    items: Annotated[
        Path | None, typer.Option("--items", metavar="FILE", help="New items, one JSON object per line.")
    ] = None,
    images: NewImagesOption = None,
    dataset: MovedDatasetOption = None,
    encoders: Annotated[
        list[str] | None,
        typer.Option(
            "--encoder",
            metavar="NAME=FOLDER",
            help="Local transformers folder that 'features extract' made features NAME with, repeatable.",
        ),
    ] = None,
    k: Annotated[int, typer.Option("-k", "--k", min=1, help="Content neighbours per item.")] = 10,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Images or texts at a time.")] = 32,
    device: DeviceOption = "auto",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write here; cold.safetensors in the run if not given.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Give items without interactions a vector from their content, for 'recommend --include-cold'.

    Example: alignrec-geo embed runs/shop --items new.jsonl --images photos

    A line of FILE: {"id": "SKU-9", "title": "Red mug", "text": "Stoneware.", "image": "sku-9.jpg"}; only the id must be
    there. For matrices that were imported, add "features": {"NAME": [numbers]}. Texts and images go through the
    encoders that made the run's features; an item then gets the mean of the trained vectors of the items most like it.
    The data set's own items without a training interaction are always included; what was written before is replaced.
    """
    from alignrec_geo.content.item_encoding.encode_items import encode_items
    from alignrec_geo.content.item_encoding.open import brought_widths
    from alignrec_geo.dataset.manifest import DATA_SET
    from alignrec_geo.device import choose_device
    from alignrec_geo.files import inside
    from alignrec_geo.outputs import output_file
    from alignrec_geo.serving.cold import NeighbourMean
    from alignrec_geo.serving.cold_store import COLD, save_cold_items
    from alignrec_geo.serving.store import EMBEDDINGS, read_embeddings
    from alignrec_geo.training.run_config import RunConfig
    from alignrec_geo.training.run_files import CONFIG
    from alignrec_geo.training.run_folder import RUN

    started, where = time.perf_counter(), choose_device(device)
    target = output_file(run / COLD if out is None else out, [items, *RUN.files(run, besides=[COLD])])
    tables = read_embeddings(run)
    config = RunConfig.load(inside(run, CONFIG), trust=True)  # no model is built
    data = _dataset(run, config, dataset)
    if out is not None:
        output_file(out, DATA_SET.files(data.path))
    features = list(config.features or [])
    rule = NeighbourMean(tables, data, features, k)
    new = new_items(items, images, data, brought_widths(data, features))
    sources = encoder_folders(encoders or [], features)
    broken: dict[str, str] = {}
    found = rule.own()
    own = len(found)
    if new:
        with progress_bars() as report:
            parts, broken = encode_items(data, features, new, sources, batch_size, where, report)
        found += rule.new([item.id for item in new], [item.title for item in new], parts)
    left_out = sorted({item.id for item in new} - set(found.ids))
    save_cold_items(target, found, run / EMBEDDINGS)
    seconds = round(time.perf_counter() - started, 1)
    if as_json:
        print_json(
            {
                "run": str(run),
                "file": str(target),
                "items": len(found) - own,
                "own": own,
                "left_out": left_out,
                "broken": broken,
                "features": features,
                "k": k,
                "width": found.vectors.shape[1],
                "seconds": seconds,
            }
        )
        return
    if images is not None:
        seen = sum(item.image is not None and item.id not in broken for item in new)
        print_notes([f"{seen} of {len(new)} new items have an image"])
    print_notes(f"the image of item '{item}' cannot be read ({why})" for item, why in broken.items())
    print_notes(f"item '{item}' has no content that the features know; left out" for item in left_out)
    stdout.print(
        f"{target}: {len(found) - own:,} new items and {own:,} of the data set without training interactions, "
        f"width {found.vectors.shape[1]}, by {', '.join(features)}",
        soft_wrap=True,
    )
    stderr.print(f"{seconds} s", soft_wrap=True)


def _dataset(run: Path, config: "RunConfig", given: Path | None) -> "Dataset":
    """The data set of the run, with its features; its items and pairs must be those of the training."""
    from alignrec_geo.dataset.store import Dataset
    from alignrec_geo.serving.store import DATASET

    path = given if given is not None else config.dataset
    if path is None:
        raise InputError(f"{run} does not say which data set it was trained on; pass --dataset DIR")
    if not Path(path).is_dir():
        raise InputError(f"{path}: no such data set folder; if the data set of {run} was moved, pass --dataset DIR")
    data = Dataset.open(path)
    if data.fingerprint() != Dataset.open(run / DATASET).fingerprint():
        raise InputError(f"{path}: not the data set that {run} was trained on: its items, users or split are others")
    return data
