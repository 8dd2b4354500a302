"""``report.html`` of one training run: results, curves and settings on a page without scripts or requests."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from alignrec_geo.dataset.manifest import read_manifest
from alignrec_geo.files import atomic_path
from alignrec_geo.reading import reading
from alignrec_geo.records import RunResult, read_epochs, read_record
from alignrec_geo.reporting.html import PAGES, PROTOCOLS, STYLE
from alignrec_geo.settings import read_yaml

WIDTH, HEIGHT, EDGE = 640, 200, 8

PAGE = (
    """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{ config.model }} on {{ dataset }}</title>
"""
    + STYLE
    + """</head><body>
<h1>{{ config.model }} on {{ dataset }}</h1>
<p>{{ chosen }}, in
{{ "%.0f" | format(result.seconds) }} seconds. Features: {{ config.features | join(", ") or "none" }}.
Seed {{ config.seed }}. Protocol {{ config.protocol }}:
{{ protocol }}.</p>
<h2>Results</h2>
<table><thead><tr><th></th>{% for k in cutoffs %}<th>@{{ k }}</th>{% endfor %}</tr></thead><tbody>
{% for split, name, values in rows %}<tr><td>{{ split }} {{ name }}</td>
{% for value in values %}<td>{{ "–" if value is none else "%.4f" | format(value) }}</td>{% endfor %}</tr>
{% endfor %}</tbody></table>
{% for title, curve in curves %}<figure><figcaption>{{ title }}</figcaption>{{ curve }}</figure>{% endfor %}
<h2>Settings</h2>
<table><tbody>{% for name, value in settings %}<tr><td>{{ name }}</td><td>{{ value }}</td></tr>
{% endfor %}</tbody></table>
</body></html>
"""
)


def write_run_report(folder: Path) -> None:
    """Write ``report.html`` into the folder of a finished run.

    Args:
        folder: holds ``config.yaml``, ``metrics.jsonl`` and ``result.json``.

    Raises:
        InputError: one of them is missing or damaged.
    """
    history = read_epochs(folder / "metrics.jsonl")
    stored = folder / "dataset"
    dataset = read_manifest(stored).name if stored.is_dir() else None
    with reading(folder / "config.yaml", "configuration of a run"):
        result = read_record(folder / "result.json", RunResult)
        text = run_page(read_yaml(folder / "config.yaml"), history, result, dataset)
    with atomic_path(folder / "report.html") as staging:
        staging.write_text(text, encoding="utf-8")


def run_page(
    config: Mapping[str, Any], history: Sequence[Mapping[str, Any]], result: Mapping[str, Any], dataset: str | None
) -> str:
    """Return the page.

    Args:
        config: the content of ``config.yaml``.
        history: the lines of ``metrics.jsonl``.
        result: the content of ``result.json``.
        dataset: name of the data set.
    """
    metrics = {"test": result["metrics"], "validation": result["validation"]}
    cutoffs = list(dict.fromkeys(key.partition("@")[2] for part in metrics.values() for key in part))
    settings = [
        (f"{section}.{name}", value)
        for section in ("parameters", "training", "kernels")
        for name, value in (config.get(section) or {}).items()
    ]
    return PAGES.from_string(PAGE).render(
        config=config,
        result=result,
        chosen=how_chosen(result)[0].upper() + how_chosen(result)[1:],
        dataset=dataset or Path(config.get("dataset") or "a data set in memory").name,
        protocol=PROTOCOLS[config["protocol"]],
        cutoffs=cutoffs,
        rows=[row for split, values in metrics.items() for row in _rows(split, values, cutoffs)],
        curves=_curves(history, config["training"]["metric"], result["best_epoch"]),
        settings=settings,
    )


def how_chosen(result: Mapping[str, Any]) -> str:
    """Which epoch a run ended with, and what chose it; of runs of earlier releases, what their results say of it.

    Args:
        result: the content of ``result.json``.

    Example:
        >>> how_chosen({"chosen_by": "last epoch", "best_epoch": 39, "epochs": 40})
        'the last of 40 epochs; there was nobody to validate on'
    """
    by = result.get("chosen_by") or ("validation" if result.get("validation") else "last epoch")
    if not result["epochs"]:
        return "nothing to train"
    if by == "validation":
        return f"epoch {result['best_epoch'] + 1} of {result['epochs']}, chosen by validation"
    if by == "refit":
        return f"{result['epochs']} epochs on the pairs of all splits; not measured, as nothing is held out"
    return f"the last of {result['epochs']} epochs; there was nobody to validate on"


def _rows(
    split: str, metrics: Mapping[str, float], cutoffs: Sequence[str]
) -> list[tuple[str, str, list[float | None]]]:
    names = dict.fromkeys(key.partition("@")[0] for key in metrics)
    return [(split, name, [metrics.get(f"{name}@{k}") for k in cutoffs]) for name in names]


def _curves(history: Sequence[Mapping[str, Any]], metric: str, best: int) -> list[tuple[str, Markup]]:
    validated = [
        (record["epoch"], record["validation"][metric])
        for record in history
        if metric in (record.get("validation") or {})
    ]
    curves = [(f"validation {metric} by epoch", validated)]
    for name in dict.fromkeys(name for record in history for name in record["loss"]):
        points = [(record["epoch"], record["loss"][name]) for record in history if name in record["loss"]]
        curves.append((f"{name}, mean over the epoch", points))
    return [(title, _line(points, best)) for title, points in curves if len(points) > 1]


def _line(points: Sequence[tuple[int, float]], best: int) -> Markup:
    """A curve as ``<svg>``, with its range and a mark at the chosen epoch."""
    epochs, values = [x for x, _ in points], [y for _, y in points]
    low, high = min(values), max(values)

    def place(epoch: float, value: float) -> tuple[float, float]:
        across = (epoch - epochs[0]) / max(epochs[-1] - epochs[0], 1)
        up = (value - low) / (high - low) if high > low else 0.5
        return EDGE + across * (WIDTH - 2 * EDGE), HEIGHT - EDGE - up * (HEIGHT - 2 * EDGE)

    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
    chosen = place(best, low)[0]
    return Markup(
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT + 20}" width="{WIDTH}" role="img">'
        f'<line x1="{chosen:.1f}" x2="{chosen:.1f}" y1="{EDGE}" y2="{HEIGHT - EDGE}" stroke="#cbd5e1"/>'
        f'<polyline points="{path}" fill="none" stroke="#c2410c" stroke-width="1.5"/>'
        f'<text x="{EDGE}" y="{HEIGHT + 14}" font-size="12" fill="#475569">epochs {epochs[0] + 1} to {epochs[-1] + 1}, '
        f"{low:.4g} to {high:.4g}, line: epoch {best + 1}</text></svg>"
    )
