"""``report.html`` of a search for settings: what was best, which settings mattered, every trial and its curve."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure

from alignrec_geo.files import atomic_path
from alignrec_geo.reporting.figures import OTHER, OURS, PALE, as_svg, label
from alignrec_geo.reporting.html import PAGES, PROTOCOLS, STYLE

PAGE = (
    """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ results.model }} on {{ results.dataset.name }}: search for settings</title>
"""
    + STYLE
    + """</head><body>
<h1>Settings of {{ results.model }} on {{ results.dataset.name }}</h1>
<p>{{ counts }}. Features: {{ results.features | join(", ") or "none" }}. Protocol {{ results.protocol }}:
{{ protocol }}. Everything is judged on validation; the test split was not looked at.</p>
<p><strong>{{ verdict }}</strong></p>
{% if results.best %}<table><tbody>{% for name, value in results.best.settings.items() %}<tr><td>{{ name }}</td>
<td>{{ value }}</td></tr>{% endfor %}</tbody></table>
<p class="note">All settings are in best.yaml: alignrec-geo train DATASET --config best.yaml --out RUN</p>{% endif %}
{% for title, figure in figures %}<figure><figcaption>{{ title }}</figcaption>{{ figure }}</figure>{% endfor %}
{% if importance %}<h2>Which settings mattered</h2>
<table><thead><tr><th>setting</th><th>importance</th></tr></thead><tbody>
{% for name, share in importance.items() %}<tr><td>{{ name }}</td><td>{{ "%.0f" | format(100 * share) }} %</td></tr>
{% endfor %}</tbody></table>
<p class="note">Share in what distinguishes the best trials from the others (PED-ANOVA), over finished trials; of few
trials it says little.</p>{% endif %}
<h2>Values</h2>
<table><thead><tr><th>setting</th><th>value</th><th>finished trials</th><th>mean {{ results.metric }}</th>
<th>best</th></tr></thead><tbody>
{% for row in values %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>{% endfor %}</tbody></table>
<h2>Trials</h2>
<table><thead><tr><th>trial</th><th>{{ results.metric }}</th><th>state</th><th>epochs</th><th>seconds</th>
{% for name in names %}<th>{{ name }}</th>{% endfor %}</tr></thead><tbody>
{% for row in trials %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>{% endfor %}</tbody></table>
{% for trial in results.trials if trial.error %}<p>trial {{ trial.trial }} failed: {{ trial.error }}</p>{% endfor %}
<h2>How it was made</h2>
<p><code>{{ results.command }}</code></p>
<p><small>{% for name, value in results.machine.items() %}{{ name }}: {{ value }}. {% endfor %}</small></p>
</body></html>
"""
)


def write_tuning_report(results: Mapping[str, Any], path: Path) -> None:
    """Write the page, atomically.

    Args:
        results: the content of ``tuning.json``.
        path: the file.
    """
    text = tuning_page(results)
    with atomic_path(path) as staging:
        staging.write_text(text, encoding="utf-8")


def tuning_page(results: Mapping[str, Any]) -> str:
    """Return the page.

    Args:
        results: the content of ``tuning.json``.
    """
    names = list(results["space"])
    drawn = [
        ("Validation by trial, and the best until then", progress(results)),
        ("Best validation until each epoch; pruned trials end where they were stopped", curves(results)),
    ]
    return PAGES.from_string(PAGE).render(
        results=results,
        protocol=PROTOCOLS[results["protocol"]],
        counts=_counts(results),
        verdict=verdict(results),
        importance=results["importance"],
        figures=[(title, Markup(as_svg(figure))) for title, figure in drawn if figure is not None],
        values=_values(results),
        names=names,
        trials=[_row(trial, names) for trial in sorted(results["trials"], key=_order)],
    )


def verdict(results: Mapping[str, Any]) -> str:
    """What the search found, in a sentence or two.

    Args:
        results: the content of ``tuning.json``.
    """
    best, default, metric = results["best"], results["default"], results["metric"]
    if best is None:
        failed = sum(trial["state"] == "failed" for trial in results["trials"])
        return f"No trial has finished{f'; {failed} failed' if failed else ' yet'}."
    said = f"Trial {best['trial']} is best: {metric} {best['value']:.4f} on validation."
    if default is None:
        return said
    if best["trial"] == 0:
        return f"{said} These are the settings that the search began with; none of the others is better."
    return f"{said} The settings that the search began with reach {default:.4f}."


def progress(results: Mapping[str, Any]) -> Figure | None:
    """The value of every trial, and the best of the finished ones so far; ``None`` without any."""
    valued = [trial for trial in results["trials"] if trial["value"] is not None]
    if not valued:
        return None
    figure, axes = _axes(label(results["metric"]), "trial")
    best, steps = None, []
    for trial in valued:
        finished = trial["state"] == "finished"
        axes.scatter(trial["trial"], trial["value"], color=OTHER if finished else PALE, marker="o" if finished else "x")
        if finished and (best is None or trial["value"] > best):
            best = trial["value"]
        steps.append((trial["trial"], best))
    line = [(number, value) for number, value in steps if value is not None]
    axes.step([x for x, _ in line], [y for _, y in line], where="post", color=OURS, linewidth=1.5)
    axes.xaxis.get_major_locator().set_params(integer=True)
    return figure


def curves(results: Mapping[str, Any]) -> Figure | None:
    """The best validation so far of every trial by epoch, the best trial's in colour; ``None`` without any."""
    shown = [trial for trial in results["trials"] if len(trial["curve"]) > 1]
    if not shown:
        return None
    figure, axes = _axes(label(results["metric"]), "epochs")
    best = None if results["best"] is None else results["best"]["trial"]
    for trial in sorted(shown, key=lambda trial: trial["trial"] == best):
        chosen = trial["trial"] == best
        axes.plot(
            [epochs for epochs, _ in trial["curve"]],
            [value for _, value in trial["curve"]],
            color=OURS if chosen else OTHER if trial["state"] == "finished" else PALE,
            linewidth=2.0 if chosen else 0.8,
        )
    return figure


def _axes(ylabel: str, xlabel: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes = figure.add_subplot()
    axes.set_ylabel(ylabel)
    axes.set_xlabel(xlabel)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _counts(results: Mapping[str, Any]) -> str:
    trials = results["trials"]
    states = [trial["state"] for trial in trials]
    parts = [
        f"{states.count(name)} {name}" for name in ("finished", "pruned", "failed", "unfinished") if name in states
    ]
    return f"{len(trials)} of {results['planned']} trials: {', '.join(parts) or 'none begun'}"


def _values(results: Mapping[str, Any]) -> list[list[str]]:
    """How often each value of each setting was tried, and how well, over finished trials."""
    rows = []
    for name, axis in results["space"].items():
        for value in axis:
            found = [
                trial["value"]
                for trial in results["trials"]
                if trial["state"] == "finished" and trial["settings"][name] == value
            ]
            numbers = [f"{mean(found):.4f}", f"{max(found):.4f}"] if found else ["–", "–"]
            rows.append([name, str(value), str(len(found)), *numbers])
    return rows


def _row(trial: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    value = "–" if trial["value"] is None else f"{trial['value']:.4f}"
    seconds = "–" if trial["seconds"] is None else f"{trial['seconds']:.0f}"
    own = [str(trial["settings"].get(name, "")) for name in names]
    return [str(trial["trial"]), value, trial["state"], str(trial["epochs"]), seconds, *own]


def _order(trial: Mapping[str, Any]) -> tuple[bool, float]:
    """Finished trials first, the best of them at the top."""
    return trial["state"] != "finished", -(trial["value"] or 0.0)
