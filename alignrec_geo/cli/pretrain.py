"""``alignrec-geo pretrain``: stage 1, from pictures and texts (or matrices of them) to one aligned vector per item."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer
from pydantic import BaseModel

from alignrec_geo.cli.encoding import chosen_device, progress_bars
from alignrec_geo.cli.output import JsonFlag, print_json, print_notes, print_table, stderr, stdout
from alignrec_geo.errors import InputError
from alignrec_geo.settings import parse_setting
from alignrec_geo.validation import checked

if TYPE_CHECKING:
    from alignrec_geo.content.align import Aligned

Loop = TypeVar("Loop", bound=BaseModel)
Shape = TypeVar("Shape", bound=BaseModel)
Kind = Literal["package", "features", "beit3-tiny", "beit3-base"]


def pretrain(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Data set folder.", show_default=False)],
    encoder: Annotated[Kind, typer.Option("--encoder", help="What learns; see below.")] = "package",
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the features; 'aligned-' and the encoder if not given.")
    ] = None,
    encoder_image: Annotated[
        str, typer.Option("--encoder-image", help="For 'package': 'package' or a local transformers folder.")
    ] = "package",
    encoder_text: Annotated[
        str, typer.Option("--encoder-text", help="For 'package': 'package' or a local transformers folder.")
    ] = "package",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, repeatable: settings of the loop and of the encoder.")
    ] = None,
    whiten: Annotated[
        str, typer.Option("--whiten", metavar="SHRINK|none", help="Shrinkage of the whitening of the vectors.")
    ] = "0.1",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of everything that is drawn.")] = 0,
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option("--device", help="Where to train; auto takes a GPU if there is.")
    ] = "auto",
    cache: Annotated[
        Path | None, typer.Option("--cache", metavar="DIR", help="Folder of the token caches; the user's if not given.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last finished epoch.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace features and encoder of that name.")] = False,
    json_: JsonFlag = False,
) -> None:
    """Align the modalities of the items by mask-then-predict, and store one vector per item in the data set.

    Example: alignrec-geo pretrain data/ml-1m --encoder package

    package: a small transformer on frozen image and text encoders (alignrec-geo[encoders]); their tokens are cached.
    features: for data sets that have matrices only; whole modalities are masked. beit3-tiny, beit3-base: pictures and
    texts through BEiT-3. 'train --features aligned-package' uses the result, 'probe' judges it.
    """
    encoders = (encoder_image, encoder_text)
    done = run_pretrain(
        dataset, encoder, name, encoders, settings or [], whiten, seed, device, cache, resume, overwrite
    )
    features, history = done.features, done.result.history
    held_out: dict[str, float] = next((record["held_out"] for record in reversed(history) if "held_out" in record), {})
    if json_:
        print_json(
            {
                "dataset": str(dataset),
                "features": features.name,
                "items": int(features.present.sum()),
                "width": features.width,
                "epochs": len(history),
                "seconds": round(done.result.seconds, 1),
                "held_out": held_out,
            }
        )
        return
    if held_out:
        _print_held_out(held_out, len(done.result.held_out))
    stdout.print(
        f"{dataset}: features '{features.name}', {int(features.present.sum()):,} of {len(features.present):,} items, "
        f"width {features.width}; {len(history)} epochs, {done.result.seconds:.0f} s",
        markup=False,
        soft_wrap=True,
    )


def run_pretrain(
    folder: Path,
    encoder: Kind,
    name: str | None,
    encoders: tuple[str, str],
    settings: list[str],
    whiten: str,
    seed: int,
    device: str,
    cache: Path | None,
    resume: bool,
    overwrite: bool,
) -> "Aligned":
    """Check what was asked for, encode, pre-train and store."""
    from alignrec_geo.cli.progress import PretrainProgress
    from alignrec_geo.content.align import align
    from alignrec_geo.content.package_task import PackageConfig, PackageTask
    from alignrec_geo.content.pretrain import PretrainConfig
    from alignrec_geo.dataset.store import Dataset

    if resume and overwrite:
        raise InputError("--resume goes on and --overwrite starts anew; pass one of them")
    loop, shape = _settings(settings, PretrainConfig, PackageConfig)
    shrink = _shrink(whiten)
    dataset, where = Dataset.open(folder), chosen_device(device)
    wanted = name or f"aligned-{encoder}"
    with progress_bars() as report:
        task = PackageTask(dataset, encoders, shape, seed, cache, report, where)
    print_notes(f"the picture of item '{item}' cannot be read ({why})" for item, why in task.broken.items())
    task.model.to(where)
    with PretrainProgress(loop.epochs) as progress:
        try:
            return align(dataset, task, encoder, wanted, loop, shrink, seed, resume, overwrite, [progress])
        except KeyboardInterrupt:
            stderr.print("stopped; every finished epoch is saved, go on with --resume", markup=False)
            raise


def _settings(given: list[str], loop: type[Loop], shape: type[Shape]) -> tuple[Loop, Shape]:
    """Sort the pairs of ``--set`` into the settings of the loop and those of the encoder."""
    sections = {"loop": loop, "encoder": shape}
    values: dict[str, dict[str, Any]] = {name: {} for name in sections}
    for setting in given:
        section, key, value = parse_setting(setting, sections)
        values[section][key] = value
    return checked(loop, values["loop"], section="loop"), checked(shape, values["encoder"], section="encoder")


def _shrink(text: str) -> float | None:
    if text == "none":
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < float("inf"):
        raise InputError(f"--whiten takes a number above 0, or 'none' (got '{text}')")
    return value


def _print_held_out(losses: Mapping[str, float], items: int) -> None:
    rows = [
        (key, f"{value:.4f}", f"{losses[f'{key} shuffled']:.4f}")
        for key, value in losses.items()
        if f"{key} shuffled" in losses
    ]
    header = ("to predict", "right partner", "shuffled partner")
    print_table(f"Losses on {items} items that were not trained on", header, rows)
