"""``alignrec-geo pretrain``: stage 1, from images and texts (or matrices of them) to one aligned vector per item."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from alignrec_geo.cli.data_set_line import say_data_set
from alignrec_geo.cli.device import DeviceOption
from alignrec_geo.cli.output import JsonFlag, print_held_out, print_json, print_notes, stderr, stdout
from alignrec_geo.cli.progress_bars import progress_bars
from alignrec_geo.errors import InputError

if TYPE_CHECKING:
    from alignrec_geo.cli.pretrain_task import Sources
    from alignrec_geo.content.pretraining.align import Aligned

Kind = Literal["frozen", "features", "beit3-tiny", "beit3-base", "package"]
"""``package`` is the former name of ``frozen``."""
KINDS = "frozen|features|beit3-tiny|beit3-base"


def pretrain(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Data set folder.", show_default=False)],
    encoder: Annotated[Kind, typer.Option("--encoder", metavar=KINDS, help="What is trained; see below.")] = "frozen",
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the features; 'aligned-' and the encoder if not given.")
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(help="For 'features': which matrices, comma-separated; default all that are not aligned."),
    ] = None,
    encoder_image: Annotated[
        str, typer.Option("--encoder-image", help="For 'frozen': 'package' or a local transformers folder.")
    ] = "package",
    encoder_text: Annotated[
        str, typer.Option("--encoder-text", help="For 'frozen': 'package' or a local transformers folder.")
    ] = "package",
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", metavar="FILE", help="For 'beit3-…': weights to start from.")
    ] = None,
    tokenizer: Annotated[
        Path | None, typer.Option("--tokenizer", metavar="FILE", help="For 'beit3-…': beit3.spm of the checkpoint.")
    ] = None,
    codebook: Annotated[
        Path | None, typer.Option("--codebook", metavar="FILE", help="For 'beit3-…': custom visual codes.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Repeatable: settings of the loop and of the encoder."),
    ] = None,
    whiten: Annotated[
        str, typer.Option("--whiten", metavar="SHRINK|none", help="Shrinkage of the whitening of the vectors.")
    ] = "0.1",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of initial values, masks and batches.")] = 0,
    device: DeviceOption = "auto",
    cache: Annotated[
        Path | None, typer.Option("--cache", metavar="DIR", help="Folder of the token caches; the user's if not given.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the last finished epoch.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace features and encoder of that name.")] = False,
    json_: JsonFlag = False,
) -> None:
    """Align the modalities of the items by mask-then-predict, and store one vector per item in the data set.

    Example: alignrec-geo pretrain data/ml-1m --encoder frozen

    frozen: a small transformer on frozen image and text encoders (alignrec-geo[encoders]); their tokens are cached.
    features: for data sets that have matrices only; whole modalities are masked. beit3-tiny, beit3-base: images and
    texts through BEiT-3, from scratch or from a checkpoint ('--set epochs=0' only encodes). 'train --features
    aligned-frozen' uses the result, 'probe' judges it.
    """
    say_data_set(dataset)
    from alignrec_geo.cli.pretrain_task import Sources

    sources = Sources(encoder_image, encoder_text, features, checkpoint, tokenizer, codebook, cache)
    done = run_pretrain(dataset, encoder, sources, settings or [], name, whiten, seed, device, resume, overwrite)
    made, history = done.features, done.result.history
    held_out: dict[str, float] = next((record["held_out"] for record in reversed(history) if "held_out" in record), {})
    if json_:
        print_json(
            {
                "dataset": done.dataset.name,
                "path": str(dataset),
                "features": made.name,
                "items": int(made.present.sum()),
                "width": made.width,
                "epochs": len(history),
                "seconds": round(done.result.seconds, 1),
                "held_out": held_out,
            }
        )
        return
    if held_out:
        print_held_out(held_out, len(done.result.held_out))
    stdout.print(
        f"{dataset}: features '{made.name}', {int(made.present.sum()):,} of {len(made.present):,} items, "
        f"width {made.width}; {len(history)} epochs, {done.result.seconds:.0f} s{_rate(history)}",
        soft_wrap=True,
    )


def run_pretrain(
    folder: Path,
    kind: Kind,
    sources: "Sources",
    settings: list[str],
    name: str | None = None,
    whiten: str = "0.1",
    seed: int = 0,
    device: str = "auto",
    resume: bool = False,
    overwrite: bool = False,
) -> "Aligned":
    """Check what was asked for, encode, pre-train and store."""
    # steps differ in the number of masked words: oneDNN would keep buffers of a thousand shapes, some GB
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
    from alignrec_geo.cli.pretrain_task import loop_and_shape, make_task
    from alignrec_geo.cli.progress import PretrainProgress
    from alignrec_geo.content.pretraining.align import align
    from alignrec_geo.content.pretraining.encoder_folder import check_name_free
    from alignrec_geo.dataset.features import checked_name
    from alignrec_geo.dataset.store import Dataset
    from alignrec_geo.device import choose_device

    if resume and overwrite:
        raise InputError("--resume goes on and --overwrite starts anew; pass one of them")
    wanted = checked_name(f"aligned-{kind}" if name is None else name)
    kind = "frozen" if kind == "package" else kind
    loop, shape = loop_and_shape(kind, settings)
    shrink = _shrink(whiten)
    dataset, where = Dataset.open(folder), choose_device(device)
    check_name_free(dataset, wanted, resume or overwrite)
    with progress_bars() as report:
        task = make_task(dataset, kind, shape, sources, seed, report, where)
    print_notes(f"the image of item '{item}' cannot be read ({why})" for item, why in task.unreadable.items())
    task.model.to(where)
    with PretrainProgress(loop.epochs) as progress:
        try:
            return align(dataset, task, kind, wanted, loop, shrink, seed, resume, overwrite, [progress])
        except KeyboardInterrupt:
            stderr.print("stopped; every finished epoch is saved, go on with --resume", soft_wrap=True)
            raise


def _rate(history: list[dict[str, Any]]) -> str:
    """How fast the last epoch was on a GPU, and how much of it the GPU worked."""
    last = history[-1] if history else {}
    if "gpu_busy" not in last:
        return ""
    return f"; {last['items_per_second']:,.0f} items a second, GPU busy {100 * last['gpu_busy']:.0f} %"


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
