"""``alignrec-geo train``: from a data set folder to a run folder."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alignrec_geo.cli.comparing import split_names
from alignrec_geo.cli.data_set_line import say_data_set
from alignrec_geo.cli.device import TrainingDeviceOption, device_setting
from alignrec_geo.cli.output import JsonFlag, print_json, print_metrics, stderr
from alignrec_geo.cli.ranks import RanksOption, only_errors, place_for, refuse_apart, start_ranks, what_is_kept
from alignrec_geo.errors import InputError
from alignrec_geo.ranks import OURS, launched

if TYPE_CHECKING:
    from alignrec_geo.models.base import Recommender
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
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Repeatable; overrides the file.")
    ] = None,
    user_item_conv: Annotated[
        str | None, typer.Option(help="Layer of the user-item graph: a name (light, sage, gatv2, …) or mypkg.MyConv.")
    ] = None,
    item_item_conv: Annotated[str | None, typer.Option(help="Layer of the item-item graph, likewise.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed (default 0).")] = None,
    protocol: Annotated[str | None, typer.Option(help="Ranking protocol: clean (default) or mmrec.")] = None,
    device: TrainingDeviceOption = None,
    compiled: Annotated[bool, typer.Option("--compile", help="Compile the loss with torch.compile.")] = False,
    log_to: Annotated[
        str | None,
        typer.Option("--log-to", help="Also log to: tensorboard (default), mlflow, wandb, comma-separated; or none."),
    ] = None,
    ranks: RanksOption = None,
    neighbors: Annotated[
        str | None,
        typer.Option(help="Train on sampled subgraphs (approximate): neighbours drawn per hop, '10,5'; -1 takes all."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run in --out from its last finished epoch.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in --out.")] = False,
    refit: Annotated[
        bool, typer.Option("--refit", help="Train on the pairs of all splits, for use; nothing is measured.")
    ] = False,
    like: Annotated[
        Path | None,
        typer.Option("--like", metavar="RUN", help="With --refit: settings and number of epochs of a finished run."),
    ] = None,
    slim: Annotated[
        bool, typer.Option("--slim", help="Keep no optimiser state at the end: smaller, but not to be resumed.")
    ] = False,
    trust: Annotated[
        bool, typer.Option("--trust", help="Run code (class paths) that only --config or the run to continue names.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Train a model, choose the epoch by validation, test that epoch once.

    Example: alignrec-geo train data/tiktok --features image,audio --set cca_weight=0.01 --out runs/tiktok

    The run folder can be given to 'evaluate', 'recommend' and 'similar'; its report.html shows what it reached, how it
    was trained, for whom, and what it recommends. Every epoch is saved: a run that was killed or stopped with Ctrl-C
    continues with the same command and --resume. A finished run goes on with --resume --set epochs=N.
    With --ranks P (or started by torchrun) P processes train together: the same result, each with 1/P of the tables.
    With --neighbors 10,5 steps see sampled parts of the graph: approximate, for graphs too large to take whole.
    With --refit validation only chooses the number of epochs (or --like RUN gives it); then all pairs are trained on.
    """
    given = {
        "dataset": str(dataset.resolve()),
        "model": model,
        "features": None if features is None else _feature_names(features),
        "seed": seed,
        "protocol": protocol,
    }
    chosen = {key: value for key, value in given.items() if value is not None}
    layers = {"user_item_conv": user_item_conv, "item_item_conv": item_item_conv}
    overrides = [f"parameters.{name}={layer}" for name, layer in layers.items() if layer is not None]
    overrides += [*(settings or []), *(["training.compile=true"] if compiled else [])]
    overrides += [] if log_to is None else [f"training.log_to={log_to}"]
    overrides += [] if neighbors is None else [f"training.num_neighbors=[{neighbors}]"]
    overrides += device_setting(device)
    if resume and overwrite:
        raise InputError("--resume continues a run and --overwrite replaces it; pass one of them")
    if like is not None and (not refit or config is not None):
        raise InputError("--like gives the settings of a --refit; pass it together with --refit and without --config")
    place = place_for(ranks)
    if place is not None and place.restarts and not overwrite:
        resume = True  # the launcher has started all ranks anew: go on from the last finished epoch
    from alignrec_geo.cli.train_settings import resolved_settings

    if place is None and ranks is not None and ranks > 1:
        with only_errors():  # the ranks say the rest
            say_data_set(dataset)
            resolved = resolved_settings(out, chosen, config, like, overrides, resume, trust)
            refuse_apart(resolved, ranks)
            refuse_existing(resolved, out, resume, overwrite)
        start_ranks(ranks, out)
        return
    say_data_set(dataset)
    resolved = resolved_settings(out, chosen, config, like, overrides, resume, trust)
    note_sampled(resolved)
    from alignrec_geo.distributed.join import joined

    with joined(resolved.training.torch_device()) as group:
        if refit and not resolved.refit:
            from alignrec_geo.cli.refit import chosen_by_validation, refitted

            refuse_existing(resolved, out, resume, overwrite)
            if resume and epochs_done(out):
                raise InputError(f"{out} holds a run that is no refit; name a new folder for the refit")
            resolved = chosen_by_validation(resolved) if like is None else refitted(resolved)
        before = epochs_done(out) if resume else 0
        trained, result = run_training(resolved, out, resume, overwrite, slim)
    if group is not None and not group.is_first:
        return
    if result.epochs == before < resolved.training.epochs and not as_json:
        stderr.print(
            f"note: no epoch was trained: validation did not improve more than {resolved.training.patience} times in a "
            "row; raise --set patience=… too",
            soft_wrap=True,
        )
    from alignrec_geo.dataset.manifest import read_manifest
    from alignrec_geo.explaining.score_parts import score_parts
    from alignrec_geo.reporting.run_report import write_run_report
    from alignrec_geo.reporting.run_words import how_chosen
    from alignrec_geo.serving.store import DATASET
    from alignrec_geo.training.run_folder import RunFolder

    write_run_report(out, score_parts(trained))
    content = RunFolder(out).read_result()
    if as_json:
        print_json({**content, "run": str(out), "features": resolved.features})
        return
    if result.metrics:
        called = read_manifest(out / DATASET).name
        print_metrics(f"{resolved.model} on {called}, test, protocol {resolved.protocol}", result.metrics)
    elif not resolved.refit:
        stderr.print("note: the test split has no user with a training interaction; nothing was tested", soft_wrap=True)
    stderr.print(f"{how_chosen(content)}; {result.seconds:.0f} s; run folder {out}", soft_wrap=True)


def note_sampled(config: "RunConfig") -> None:
    """Say where steps do not see the whole graph."""
    drawn = config.training.num_neighbors
    if drawn is not None and any(count != -1 for count in drawn):
        counts = ", ".join("all" if count == -1 else str(count) for count in drawn)
        stderr.print(
            f"note: approximate: steps see sampled subgraphs ({counts} neighbors per hop); metrics are of the whole "
            "graph",
            soft_wrap=True,
        )


def epochs_done(run: Path) -> int:
    """Epochs in the log of a run, 0 where there is none."""
    from alignrec_geo.records import read_epochs
    from alignrec_geo.training.run_files import METRICS_FILE

    return len(read_epochs(run / METRICS_FILE))


def refuse_existing(config: "RunConfig", out: Path, resume: bool, overwrite: bool) -> None:
    """Refuse a path that cannot become a run folder, before anything is read or trained."""
    from alignrec_geo.dataset.store import Dataset
    from alignrec_geo.training.run_folder import RunFolder

    place = launched()
    if place is not None and place.follows:
        return  # the first rank looks, and has perhaps begun already
    RunFolder(out).refuse_existing(resume, overwrite, Dataset.open(str(config.dataset)).path)


def run_training(
    config: "RunConfig", out: Path, resume: bool = False, overwrite: bool = False, slim: bool = False
) -> tuple["Recommender", "FitResult"]:
    """Build the model that ``config`` describes, train it with a progress bar, and leave the run folder ``out``."""
    from alignrec_geo.cli.progress import TrainingProgress
    from alignrec_geo.training.configured import fit_config

    refuse_existing(config, out, resume, overwrite)
    with TrainingProgress(config.training.metric, config.training.epochs) as progress:
        try:
            return fit_config(config, out, resume=resume, overwrite=overwrite, observers=[progress], slim=slim)
        except KeyboardInterrupt:
            if OURS not in os.environ:  # else whoever started the ranks says it
                stderr.print(f"stopped; {what_is_kept(out)}", soft_wrap=True)
            raise


def _feature_names(text: str) -> list[str]:
    names = split_names(text)
    return [] if names == ["none"] else names
