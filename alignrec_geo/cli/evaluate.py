"""``alignrec-geo evaluate``: metrics of a trained run."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alignrec_geo.cli.device import DeviceOption
from alignrec_geo.cli.output import JsonFlag, print_json, print_metrics
from alignrec_geo.cli.run_argument import RunArgument
from alignrec_geo.errors import InputError

if TYPE_CHECKING:
    from alignrec_geo.dataset.store import Dataset
    from alignrec_geo.evaluation.protocols import Protocol


def evaluate(
    run: RunArgument,
    split: Annotated[str, typer.Option(help="Split: train, validation or test.")] = "test",
    protocol: Annotated[str | None, typer.Option(help="clean or mmrec; default the run's own.")] = None,
    metrics: Annotated[
        str | None,
        typer.Option(help="Metrics, comma-separated: mrr, coverage@20, …; default recall,ndcg,precision,map."),
    ] = None,
    per_user: Annotated[Path | None, typer.Option(help="Also write every user's metrics to this Parquet file.")] = None,
    device: DeviceOption = "auto",
    as_json: JsonFlag = False,
) -> None:
    """Rank all items with a run's embeddings and print the metrics.

    Example: alignrec-geo evaluate runs/tiktok --split test --protocol mmrec --metrics recall,ndcg,coverage@20 --json
    """
    from alignrec_geo.dataset.interactions import Split
    from alignrec_geo.device import choose_device
    from alignrec_geo.evaluation.evaluator import Evaluator
    from alignrec_geo.evaluation.metrics import DEFAULT
    from alignrec_geo.evaluation.protocols import Protocol
    from alignrec_geo.files import atomic_path, inside
    from alignrec_geo.outputs import output_file
    from alignrec_geo.serving.store import load_top_items
    from alignrec_geo.training.run_files import CONFIG

    if per_user is not None:
        from alignrec_geo.training.run_folder import RUN

        per_user = output_file(per_user, RUN.files(run))
    where = choose_device(device)
    served = load_top_items(run, device=where)
    chosen = Protocol.parse(protocol) if protocol is not None else _protocol_of(inside(run, CONFIG))
    part = Split.parse(split)
    names = list(DEFAULT) if metrics is None else [name.strip() for name in metrics.split(",")]
    started = time.perf_counter()
    evaluator = Evaluator(_with_content(run, served.dataset, names), part, chosen, metrics=names)
    evaluation = evaluator(served.embeddings)
    seconds = time.perf_counter() - started
    if per_user is not None:
        with atomic_path(per_user) as staging:
            evaluation.frame(served.dataset.users["id"]).write_parquet(staging)
    if as_json:
        print_json(
            {
                "metrics": evaluation.metrics,
                "protocol": chosen.value,
                "split": part.label,
                "users": len(evaluation.users),
                "seconds": round(seconds, 3),
            }
        )
        return
    print_metrics(f"{run.name}: {part.label}, protocol {chosen}, {len(evaluation.users)} users", evaluation.metrics)


def _with_content(run: Path, dataset: "Dataset", names: list[str]) -> "Dataset":
    """The data set that a run was trained on, where a metric asks for content, which run folders do not hold."""
    from alignrec_geo.dataset.store import Dataset
    from alignrec_geo.evaluation.metrics import CUTOFFS, choose_metrics
    from alignrec_geo.files import inside
    from alignrec_geo.settings import read_yaml
    from alignrec_geo.training.run_files import CONFIG

    asking = [metric.name for metric, _ in choose_metrics(names, CUTOFFS) if metric.needs_content]
    if not asking:
        return dataset
    config = inside(run, CONFIG)
    stored = read_yaml(config).get("dataset") if config.exists() else None
    if not isinstance(stored, str) or not Path(stored).is_dir():
        raise InputError(
            f"metric '{asking[0]}' needs the items' features, and the data set of {run} is not at {stored}"
        )
    found = Dataset.open(stored)
    if found.fingerprint() != dataset.fingerprint():
        raise InputError(f"data set '{found.name}' is not the one {run} was trained on: its items or pairs are others")
    return found


def _protocol_of(config: Path) -> "Protocol":
    """The protocol that a run was made with; nothing else of its settings is needed here."""
    from alignrec_geo.evaluation.protocols import Protocol
    from alignrec_geo.settings import SHORT, read_yaml

    stored = read_yaml(config).get("protocol", Protocol.CLEAN.value) if config.exists() else Protocol.CLEAN.value
    known = [protocol.value for protocol in Protocol]
    if stored not in known:
        raise InputError(f"{config}: protocol: there are {', '.join(known)} (got {SHORT.repr(stored)})")
    return Protocol(stored)
