"""``features``: encode images and texts, look at feature matrices, hand them to others."""

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alignrec_geo.cli.comparing import required_names
from alignrec_geo.cli.data_set_line import say_data_set
from alignrec_geo.cli.device import DeviceOption
from alignrec_geo.cli.engine import Actors, Address, Engine, chosen_pool, results_alone
from alignrec_geo.cli.features_describe import describe
from alignrec_geo.cli.features_float16 import float16
from alignrec_geo.cli.features_whiten import whiten
from alignrec_geo.cli.output import JsonFlag, print_json, print_notes, stderr, stdout
from alignrec_geo.cli.progress_bars import progress_bars
from alignrec_geo.errors import InputError

if TYPE_CHECKING:
    from alignrec_geo.dataset.features import Features
    from alignrec_geo.dataset.store import Dataset

app = typer.Typer(no_args_is_help=True, help="Make, describe and export feature matrices.")
app.command("describe")(describe)
app.command("whiten")(whiten)
app.command("float16")(float16)

MODALITIES = ("image", "text")

Folder = Annotated[Path, typer.Argument(metavar="DATASET", help="Data set folder.", show_default=False)]
EncoderHelp = "'package' for the one of alignrec-geo[encoders], or a local transformers folder."


@app.command("extract")
def extract(
    dataset: Folder,
    raw: Annotated[str, typer.Option("--raw", help="What to encode, comma-separated: image, text.")] = "image,text",
    encoder_image: Annotated[str, typer.Option("--encoder-image", help=f"Image encoder: {EncoderHelp}")] = "package",
    encoder_text: Annotated[str, typer.Option("--encoder-text", help=f"Text encoder: {EncoderHelp}")] = "package",
    name: Annotated[
        str | None, typer.Option("--name", metavar="PREFIX", help="Name the matrices PREFIX-image and PREFIX-text.")
    ] = None,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Images or texts at a time.")] = 32,
    device: DeviceOption = "auto",
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=0, help="Processes that decode images ahead; by default some for a GPU."),
    ] = None,
    cache: Annotated[
        Path | None, typer.Option("--cache", metavar="DIR", help="Folder of the token caches; the user's if not given.")
    ] = None,
    engine: Engine = "local",
    actors: Actors = None,
    address: Address = None,
    half: Annotated[bool, typer.Option("--float16", help="Store in half precision: half the size.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace features of the same name.")] = False,
    json_: JsonFlag = False,
) -> None:
    """Encode images and texts with frozen encoders: one vector per item and modality, stored in the data set.

    Example: alignrec-geo features extract data/ml-1m --raw image,text

    The text of an item is its title and its text. Token states and patch maps are kept in the cache: an interrupted run
    resumes where it stopped, and 'pretrain' need not encode again. An image that cannot be read is reported by name;
    its item counts as without image. With --engine ray every actor holds the encoders; where it was interrupted it goes
    on with either engine.
    """
    say_data_set(dataset)
    pool = chosen_pool(engine, actors, address)
    from alignrec_geo.content.encoders import open_image_encoder, open_text_encoder
    from alignrec_geo.content.feature_sets.extract import extract_image, extract_text
    from alignrec_geo.content.throughput import Throughput
    from alignrec_geo.dataset.features import checked_name
    from alignrec_geo.dataset.store import Dataset
    from alignrec_geo.device import choose_device

    wanted = required_names(raw, "--raw")
    unknown = [part for part in wanted if part not in MODALITIES]
    if unknown:
        raise InputError(f"--raw takes {', '.join(MODALITIES)} (got '{unknown[0]}')")
    opened = Dataset.open(dataset)
    names = {modality: checked_name(f"{name}-{modality}" if name else modality) for modality in wanted}
    _refuse_existing(opened, names.values(), overwrite)
    where = choose_device(device)
    image = open_image_encoder(encoder_image, where) if "image" in wanted else None
    text = open_text_encoder(encoder_text, where) if "text" in wanted else None
    made: list[Features] = []
    counted: list[Throughput] = []
    broken: dict[str, str] = {}
    started = time.perf_counter()
    with results_alone(), progress_bars() as report:
        if image is not None:
            counted.append(Throughput("images"))
            by = None
            if pool is not None:
                from alignrec_geo.content.tokens.by_actors import images_by

                by = partial(images_by, pool, encoder_image, where, image.patch_width)
            features, broken = extract_image(
                opened, image, names["image"], cache, batch_size, report("images"), workers, counted[-1], by
            )
            made.append(features)
        if text is not None:
            counted.append(Throughput("texts"))
            by = None
            if pool is not None:
                from alignrec_geo.content.tokens.by_actors import texts_by

                by = partial(texts_by, pool, encoder_text, where, text.token_width)
            made.append(extract_text(opened, text, names["text"], cache, batch_size, report("texts"), counted[-1], by))
    made = [features.half() for features in made] if half else made
    # opened again: another process may have stored features meanwhile
    Dataset.open(dataset).store_features(*made, overwrite=overwrite)
    seconds = round(time.perf_counter() - started, 1)
    if json_:
        rows = [
            {"name": f.name, "items": int(f.present.sum()), "width": f.width, "encoder": f.meta["encoder"]}
            for f in made
        ]
        rates = {
            part.what: {"encoded": part.items, "per_second": round(part.per_second, 1), "gpu_busy": part.busy}
            for part in counted
        }
        print_json(
            {
                "dataset": opened.name,
                "path": str(dataset),
                "features": rows,
                "broken": broken,
                "seconds": seconds,
                "throughput": rates,
            }
        )
        return
    print_notes(f"the image of item '{item}' cannot be read ({why})" for item, why in broken.items())
    for features in made:
        stdout.print(
            f"{dataset}: features '{features.name}', {int(features.present.sum()):,} of "
            f"{len(features.present):,} items, width {features.width}, by {features.meta['encoder']}",
            soft_wrap=True,
        )
    stderr.print(f"{seconds} s; {'; '.join(map(str, counted))}", soft_wrap=True)


@app.command("export")
def export(
    dataset: Folder,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write.", show_default=False)],
    features: Annotated[
        str | None,
        typer.Option(
            "--features",
            help="Which, comma-separated; image=aligned-x writes 'aligned-x' as image_feat.npy. All if not given.",
        ),
    ] = None,
    probed: Annotated[
        Path | None, typer.Option("--probe", metavar="FILE", help="What 'probe --out' wrote, for the feature card.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the folder of --out.")] = False,
    json_: JsonFlag = False,
) -> None:
    """Write features and interactions in the MMRec layout, with a feature card (README.md).

    Example: alignrec-geo features export data/ml-1m --features image,text --out ml-1m-features

    NAME.inter holds the pairs with x_label, X_feat.npy one float32 row per item number; 'data import mmrec' reads the
    folder back.
    """
    from alignrec_geo.content.feature_sets.export import EXPORT, export_mmrec
    from alignrec_geo.dataset.features import checked_name
    from alignrec_geo.dataset.store import Dataset
    from alignrec_geo.files import read_json
    from alignrec_geo.folders import folder_target

    opened = Dataset.open(dataset)
    folder_target(out, EXPORT, overwrite, [dataset, probed])
    wanted = opened.feature_names if features is None else required_names(features, "--features")
    if not wanted:
        raise InputError(f"{dataset} has no feature matrices; make some with 'features extract'")
    chosen: dict[str, str] = {}
    for part in wanted:
        file, _, source = part.partition("=")
        if file in chosen or not checked_name(file):
            raise InputError(f"--features takes NAME or FILE=NAME, each file once (got '{part}')")
        chosen[file] = source or file
    content = None if probed is None else _probe_result(read_json(probed), probed)
    notes = export_mmrec(opened, chosen, out, overwrite, content)
    if json_:
        print_json({"path": str(out), "files": [f"{file}_feat.npy" for file in chosen], "left_out": notes})
        return
    print_notes(f"left out: {note}" for note in notes)
    stdout.print(f"{out}: {', '.join(f'{file}_feat.npy' for file in chosen)}", soft_wrap=True)


def _refuse_existing(dataset: "Dataset", names: Any, overwrite: bool) -> None:
    there = [name for name in names if name in dataset.feature_names]
    if there and not overwrite:
        raise InputError(f"data set '{dataset.name}' has features '{there[0]}'; pass --overwrite or another --name")


def _probe_result(content: Any, path: Path) -> Any:
    from alignrec_geo.content.feature_sets.card import Probed
    from alignrec_geo.settings import checked

    return checked(Probed, content, prefix=f"{path}: not what 'probe --out' writes: ").model_dump()
