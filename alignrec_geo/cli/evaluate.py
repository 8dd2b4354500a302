"""``alignrec-geo evaluate``: metrics of a trained run."""

import time
from pathlib import Path
from typing import Annotated

import typer

from alignrec_geo.cli.output import JsonFlag, print_json, print_metrics


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
    from alignrec_geo.settings import read_yaml
    from alignrec_geo.training.run_config import CONFIG
    from alignrec_geo.training.run_folder import RUN

    per_user = None if per_user is None else output_file(per_user, RUN.files(run))
    served = load_top_items(run)
    stored = read_yaml(run / CONFIG) if inside(run, CONFIG).exists() else {}
    chosen = Protocol.parse(protocol or stored.get("protocol", Protocol.CLEAN))
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
