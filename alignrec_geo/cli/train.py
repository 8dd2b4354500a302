"""``alignrec-geo train``: from a data set folder to a run folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alignrec_geo.cli.output import JsonFlag, print_json, print_metrics, stderr
from alignrec_geo.errors import InputError

if TYPE_CHECKING:
    from alignrec_geo.training import FitResult
    from alignrec_geo.training.run_config import RunConfig


def train(
    dataset: Annotated[Path, typer.Argument(help="Data set folder (made by 'data import').")],
    out: Annotated[Path, typer.Option("--out", help="Run folder to write.")],
    model: Annotated[str | None, typer.Option(help="Model: alignrec (default), popularity, …")] = None,
    features: Annotated[
        str | None, typer.Option(help="Feature matrices, comma-separated; default all; 'none' for IDs only.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML file of settings, laid out like a run's config.yaml.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, repeatable; overrides the file.")
    ] = None,
    user_item_conv: Annotated[
        str | None, typer.Option(help="Layer of the user-item graph: a name (light, sage, gatv2, …) or mypkg.MyConv.")
    ] = None,
    item_item_conv: Annotated[str | None, typer.Option(help="Layer of the item-item graph, likewise.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed (default 0).")] = None,
    protocol: Annotated[str | None, typer.Option(help="Ranking protocol: clean (default) or mmrec.")] = None,
    device: Annotated[
        str | None, typer.Option("--device", metavar="DEVICE", help="auto (default), cpu, cuda, or cuda:1.")
    ] = None,
    compiled: Annotated[bool, typer.Option("--compile", help="Compile the loss with torch.compile.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run in --out from its last finished epoch.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in --out.")] = False,
    trust: Annotated[
        bool, typer.Option("--trust", help="Run code (class paths) that only --config or the run to continue names.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Train a model, choose the epoch by validation, test that epoch once.

    Example: alignrec-geo train data/tiktok --features image,audio --set cca_weight=0.01 --out runs/tiktok

    The run folder can be given to 'evaluate', 'recommend' and 'similar'; its report.html shows curves and settings.
    Every epoch is saved: a run that was killed or stopped with Ctrl-C continues with the same command and --resume.
    """
    given = {
        "dataset": str(dataset.resolve()),
        "model": model,
        "features": None if features is None else _split_names(features),
        "seed": seed,
        "protocol": protocol,
    }
    chosen = {key: value for key, value in given.items() if value is not None}
    layers = {"user_item_conv": user_item_conv, "item_item_conv": item_item_conv}
    overrides = [f"parameters.{name}={layer}" for name, layer in layers.items() if layer is not None]
    overrides += [*(settings or []), *(["training.compile=true"] if compiled else [])]
    overrides += [] if device is None else [f"training.device={device}"]
    resolved = _resolve(out, chosen, config, overrides, resume, trust)
    if resume and overwrite:
        raise InputError("--resume continues a run and --overwrite replaces it; pass one of them")
    result = run_training(resolved, out, resume=resume, overwrite=overwrite)
    from alignrec_geo.reporting.run_report import how_chosen, write_run_report
    from alignrec_geo.training.run_folder import RunFolder

    write_run_report(out)
    content = RunFolder(out).read_result()
    if as_json:
        print_json({**content, "run": str(out), "features": resolved.features})
        return
    if result.metrics:
        print_metrics(f"{resolved.model} on {dataset.name}, test, protocol {resolved.protocol}", result.metrics)
    else:
        stderr.print("note: the test split has no user with a training interaction; nothing was tested", soft_wrap=True)
    stderr.print(f"{how_chosen(content)}; {result.seconds:.0f} s; run folder {out}", soft_wrap=True)


def run_training(config: "RunConfig", out: Path, resume: bool = False, overwrite: bool = False) -> "FitResult":
    """Build the model that ``config`` describes, train it with a progress bar, and leave the run folder ``out``."""
    from alignrec_geo.cli.progress import TrainingProgress
    from alignrec_geo.dataset.store import Dataset
    from alignrec_geo.training.configured import fit_config
    from alignrec_geo.training.run_files import CONFIG
    from alignrec_geo.training.run_folder import RunFolder

    RunFolder(out).refuse_existing(resume, overwrite, Dataset.open(str(config.dataset)).path)
    with TrainingProgress(config.training.metric, config.training.epochs) as progress:
        try:
            return fit_config(config, out, resume=resume, overwrite=overwrite, observers=[progress])[1]
        except KeyboardInterrupt:
            if (out / CONFIG).exists():
                said = f"every finished epoch is saved in {out}, go on with --resume"
            else:
                said = "no epoch was finished, nothing is kept; give the same command again"
            stderr.print(f"stopped; {said}", soft_wrap=True)
            raise


def _resolve(
    out: Path, chosen: dict[str, Any], config: Path | None, settings: list[str], resume: bool, trust: bool
) -> "RunConfig":
    """The settings of a new run, or those of the run to continue, which nothing given may contradict."""
    from alignrec_geo.dataset.store import Dataset
    from alignrec_geo.settings import read_yaml
    from alignrec_geo.training.run_config import RunConfig
    from alignrec_geo.training.run_files import CONFIG

    # trusted to be read and compared; what is built are the resolved settings below
    stored = RunConfig.load(out / CONFIG, trust=True) if resume and (out / CONFIG).exists() else None
    base = read_yaml(config) if config is not None else {} if stored is None else stored.model_dump(mode="json")
    resolved = RunConfig.resolve({**base, **chosen}, settings, untrusted=None if trust else config or out / CONFIG)
    if resolved.features is None:
        resolved = resolved.model_copy(update={"features": Dataset.open(str(resolved.dataset)).feature_names})
    if stored is not None:
        before, now = stored.model_dump(mode="json"), resolved.model_dump(mode="json")
        changed = [key for key in now if key != "dataset" and now[key] != before[key]]
        if changed:
            key = changed[0]
            raise InputError(f"{out} was started with other settings: {key} was {before[key]!r}, now {now[key]!r}")
    return resolved


def _split_names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    return [] if names == ["none"] else names
