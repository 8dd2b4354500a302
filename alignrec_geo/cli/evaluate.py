"""``alignrec-geo evaluate``: metrics of a trained run."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alignrec_geo.cli.output import JsonFlag, print_json, print_metrics
from alignrec_geo.errors import InputError
from alignrec_geo.validation import SHORT

if TYPE_CHECKING:
    from alignrec_geo.evaluation.protocols import Protocol


def evaluate(
    run: Annotated[Path, typer.Argument(help="Run folder (made by 'train').")],
    split: Annotated[str, typer.Option(help="Split: train, validation or test.")] = "test",
    protocol: Annotated[str | None, typer.Option(help="clean or mmrec; default the run's own.")] = None,
    per_user: Annotated[Path | None, typer.Option(help="Also write every user's metrics to this Parquet file.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Rank all items with a run's embeddings and print the metrics.

    Example: alignrec-geo evaluate runs/tiktok --split test --protocol mmrec --json
    """
    from alignrec_geo.dataset.interactions import Split
    from alignrec_geo.evaluation.evaluator import Evaluator
    from alignrec_geo.evaluation.protocols import Protocol
    from alignrec_geo.files import atomic_path, inside
    from alignrec_geo.outputs import output_file
    from alignrec_geo.serving.store import load_top_items
    from alignrec_geo.training.run_config import CONFIG
    from alignrec_geo.training.run_folder import RUN

    per_user = None if per_user is None else output_file(per_user, RUN.files(run))
    served = load_top_items(run)
    chosen = Protocol.parse(protocol) if protocol is not None else _protocol_of(inside(run, CONFIG))
    part = Split.parse(split)
    started = time.perf_counter()
    evaluation = Evaluator(served.dataset.interactions, part, chosen)(served.embeddings)
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


def _protocol_of(config: Path) -> "Protocol":
    """The protocol that a run was made with; nothing else of its settings is needed here."""
    from alignrec_geo.evaluation.protocols import Protocol
    from alignrec_geo.settings import read_yaml

    stored = read_yaml(config).get("protocol", Protocol.CLEAN.value) if config.exists() else Protocol.CLEAN.value
    known = [protocol.value for protocol in Protocol]
    if stored not in known:
        raise InputError(f"{config}: protocol: there are {', '.join(known)} (got {SHORT.repr(stored)})")
    return Protocol(stored)
