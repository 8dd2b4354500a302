"""Is a whitened feature matrix better than the plain one? Zero-shot and item-CF, paired over users.

    alignrec-geo features extract data/toys --raw text
    python benchmarks whitening data/toys --source text --name toys-whitening

The shrinkages are compared on validation; the one that ``features whiten`` takes by default is then compared with the
plain vectors, as they are and centred, on test.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer
from harness.machine import RESULTS, machine
from harness.measure import command
from harness.program import run_program
from quality.aligned_features import MEASURES, METRIC, summary

from alignrec_geo.content.feature_sets.whiten import SHRINK, whitened
from alignrec_geo.dataset import Dataset
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.evaluation.protocols import Protocol
from alignrec_geo.evaluation.significance import paired_comparison
from alignrec_geo.files import write_json
from alignrec_geo.probing.probe import Probe, ProbeRow

WHITE = "whitened"


def main(
    dataset: Annotated[Path, typer.Argument(help="Data set folder.")],
    name: Annotated[str, typer.Option(help="Name of the result: benchmarks/results/NAME.json.")],
    source: Annotated[str, typer.Option(help="The plain features.")] = "text",
    shrinkages: Annotated[str, typer.Option(help="Compared on validation, comma-separated.")] = "0.001,0.01,0.1,1",
    protocol: str = "mmrec",
    k: Annotated[int, typer.Option(help="Content neighbours per item.")] = 10,
) -> None:
    """Print the table, and store it."""
    data, values = Dataset.open(dataset), [float(part) for part in shrinkages.split(",")]
    result: dict[str, Any] = {
        "name": name,
        "command": command(),
        "dataset": {"name": data.name, **data.counts()},
        "source": data.features(source).meta,
        "protocol": protocol,
        "k": k,
        "metric": METRIC,
        **judged(data, source, values, Protocol.parse(protocol), k),
        "machine": machine(),
    }
    write_json(RESULTS / f"{name}.json", result)
    print(json.dumps({key: result[key] for key in ("validation", "test", "paired")}, indent=1))


def judged(data: Dataset, source: str, shrinkages: list[float], protocol: Protocol, k: int) -> dict[str, Any]:
    """Shrinkages on validation, then the default against the plain vectors on test."""
    plain = data.features(source)
    tried = {f"{WHITE} {shrink:g}": shrink for shrink in shrinkages}
    data = data.with_features(
        *(whitened(plain, called.replace(" ", "-"), shrink)[0] for called, shrink in tried.items()),
        whitened(plain, WHITE)[0],
    )
    search = Probe(data, [source, *(called.replace(" ", "-") for called in tried)], Split.VALIDATION, protocol, k)
    rows = [search.popularity(), search.row(source, False), search.row(source, True)]
    rows += [search.row(content, False) for content in search.contents[1:]]
    final = Probe(data, [source, WHITE], Split.TEST, protocol, k)
    tested = [final.row(source, False), final.row(source, True), final.row(WHITE, False)]
    return {
        "items": len(final.items),
        "users": len(final.evaluator.users),
        "shrinkage": SHRINK,
        "validation": [summary(row) for row in rows],
        "test": [summary(row) for row in (final.chance(), final.popularity(), *tested)],
        "paired": paired(tested, data),
    }


def paired(rows: list[ProbeRow], data: Dataset) -> list[dict[str, Any]]:
    """The whitened vectors against the plain and the centred ones, user by user."""
    tests = []
    for measure in MEASURES:
        frames = []
        for row in rows:
            called = f"{row.content}, centred" if row.centred else row.content
            frame = getattr(row, measure).frame(data.users["id"]).select("user", METRIC)
            frames.append(frame.with_columns(pl.lit(called).alias("model"), pl.lit(0).alias("seed")))
        tests += [{"measure": measure, **test} for test in paired_comparison(pl.concat(frames), WHITE, METRIC)]
    return tests


if __name__ == "__main__":
    run_program(main)
