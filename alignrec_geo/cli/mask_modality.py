"""``alignrec-geo mask-modality``: how much a recommender depends on each modality."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alignrec_geo.cli.data_set_line import say_data_set
from alignrec_geo.cli.device import DeviceOption
from alignrec_geo.cli.output import JsonFlag, print_json, print_table, stderr
from alignrec_geo.errors import InputError

if TYPE_CHECKING:
    import torch

    from alignrec_geo.content.item_encoder import ItemEncoder
    from alignrec_geo.dataset.store import Dataset
    from alignrec_geo.probing.mask_modality import MaskRow

METRIC = "recall@20"


def mask_modality(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Data set folder.", show_default=False)],
    features: Annotated[
        str | None, typer.Option(help="What to train on, comma-separated; 'a+b' joins two; default all joined.")
    ] = None,
    model: Annotated[str, typer.Option(help="The recommender.")] = "alignrec",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Repeatable: settings of the runs.")
    ] = None,
    protocol: Annotated[str, typer.Option(help="Ranking protocol: clean or mmrec.")] = "clean",
    share: Annotated[float, typer.Option(help="Share of the items that lose a modality.")] = 0.5,
    seeds: Annotated[int, typer.Option(min=1, help="Runs per row.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the choice of masked items; runs have seeds 1, 2, …")] = 0,
    out: Annotated[Path | None, typer.Option(help="Also write the result as JSON to this file, row by row.")] = None,
    device: DeviceOption = "auto",
    as_json: JsonFlag = False,
) -> None:
    """Train with everything, then with one modality of half of the items hidden, and show the loss in quality.

    Example: alignrec-geo mask-modality data/ml-1m --features aligned-frozen,image+text --seeds 3

    What an encoder of this program made is encoded again without the modality (and, as a second row, zeroed); a plain
    matrix is zeroed. The items that lose a modality are the same in every row.
    """
    say_data_set(dataset)
    from alignrec_geo.cli.progress import TrainingProgress
    from alignrec_geo.dataset.manifest import DATA_SET
    from alignrec_geo.dataset.store import Dataset
    from alignrec_geo.files import write_json
    from alignrec_geo.models import find_model
    from alignrec_geo.outputs import output_file
    from alignrec_geo.probing.mask_modality import half_of_items
    from alignrec_geo.probing.mask_modality import mask_modality as measure
    from alignrec_geo.training.loop import fit
    from alignrec_geo.training.run_config import RunConfig

    data = Dataset.open(dataset)
    out = None if out is None else output_file(out, DATA_SET.files(dataset))
    contents = _contents(data, features)
    items = half_of_items(data.interactions.n_items, seed, share)
    config = RunConfig.resolve({"model": model, "protocol": protocol}, [f"training.device={device}", *(settings or [])])
    where = config.training.torch_device()
    if not find_model(model).uses_features:
        raise InputError(f"model '{model}' uses no features; there is nothing to hide")

    def train(changed: Dataset, names: Sequence[str], number: int) -> dict[str, float]:
        built = find_model(model).from_dataset(changed, names, config.parameters, number)
        training, label = config.training, f"{'+'.join(names)}, seed {number}"
        with TrainingProgress(training.metric, training.epochs, label=label) as bar:
            result = fit(
                built,
                changed,
                training,
                kernels=config.kernels,
                protocol=config.protocol,
                seed=number,
                observers=[bar],
            )
        return dict(result.metrics)

    rows: list[MaskRow] = []

    def content() -> dict[str, object]:
        return {
            "dataset": data.name,
            "model": model,
            "protocol": config.protocol.value,
            "settings": settings or [],
            "share": share,
            "seed": seed,
            "items": len(items),
            "rows": [_as_json(row, _unmasked(row, rows)) for row in rows],
        }

    def done(row: "MaskRow") -> None:
        rows.append(row)
        stderr.print(f"{_label(row)}: {METRIC} {row.mean(METRIC):.4f}", soft_wrap=True)
        if out is not None:
            write_json(out, content())

    names = {name for part in contents for name in part.split("+")}
    measure(data, contents, train, _encoders(data, names, where), range(1, seeds + 1), items, done)
    if as_json:
        print_json(content())
        return
    title = f"{model} on {data.name}, test, protocol {config.protocol}: {len(items)} of {len(data.items)} items masked"
    print_table(
        title, ["content", "hidden", "how", METRIC, "drop"], [_cells(row, _unmasked(row, rows)) for row in rows]
    )


def _contents(data: "Dataset", features: str | None) -> list[str]:
    if not data.feature_names:
        raise InputError(f"{data.path} has no feature matrices; make some with 'features extract' or 'pretrain'")
    if features is None:
        return ["+".join(data.feature_names)]
    contents = list(dict.fromkeys(part.strip() for part in features.split(",") if part.strip()))
    if not contents:
        raise InputError(f"--features names nothing (got '{features}')")
    for name in (name for part in contents for name in part.split("+")):
        data.features(name)
    return contents


def _encoders(data: "Dataset", names: set[str], device: "torch.device") -> dict[str, "ItemEncoder"]:
    """Encoders that can hide a modality, of those matrices that were pre-trained."""
    from alignrec_geo.content.item_encoder import PRETRAINED
    from alignrec_geo.content.item_encoding.open import open_pretrained

    pretrained = [name for name in sorted(names) if data.features(name).meta.get("made by") == PRETRAINED]
    return {name: open_pretrained(data, name, device) for name in pretrained}


def _unmasked(row: "MaskRow", rows: Sequence["MaskRow"]) -> "MaskRow":
    return next(other for other in rows if other.content == row.content and other.hidden is None)


def _drop(row: "MaskRow", whole: "MaskRow") -> float | None:
    before = whole.mean(METRIC)
    return None if row.hidden is None or before == 0.0 else (before - row.mean(METRIC)) / before


def _label(row: "MaskRow") -> str:
    return row.content if row.hidden is None else f"{row.content} without {row.hidden} ({row.how})"


def _cells(row: "MaskRow", whole: "MaskRow") -> list[str]:
    drop = _drop(row, whole)
    shown = "–" if drop is None else f"{100 * drop:.1f} %"
    return [row.content, row.hidden or "nothing", row.how or "–", f"{row.mean(METRIC):.4f}", shown]


def _as_json(row: "MaskRow", whole: "MaskRow") -> dict[str, object]:
    return {
        "content": row.content,
        "hidden": row.hidden,
        "how": row.how,
        "metrics": row.metrics,
        "mean_recall@20": row.mean(METRIC),
        "drop": _drop(row, whole),
    }
