"""``report.html`` of a search for settings: what was best, which settings mattered, every trial and its curve."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from alignrec_geo.files import atomic_path
from alignrec_geo.reporting.charts import Chart, grid
from alignrec_geo.reporting.look import ACCENT, OTHER, PALE, colour
from alignrec_geo.reporting.pages import PROTOCOLS, made_on, render
from alignrec_geo.reporting.words import metric_name, model_name


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
    charts = [progress(results), curves(results)]
    return render(
        "tuning.html",
        model=model_name(results["model"]),
        metric=metric_name(results["metric"]),
        results=results,
        protocol=PROTOCOLS[results["protocol"]],
        counts=_counts(results),
        verdict=verdict(results),
        importance=[(name, f"{100 * share:.0f} %") for name, share in results["importance"].items()],
        charts=[chart for chart in charts if chart is not None],
        values=_values(results),
        names=names,
        trials=[_row(trial, names) for trial in sorted(results["trials"], key=_order)],
        made=made_on(results["machine"]),
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


def progress(results: Mapping[str, Any]) -> Chart | None:
    """The value of every trial, and the best of the finished ones so far; ``None`` for fewer than two."""
    valued = [trial for trial in results["trials"] if trial["value"] is not None]
    if len(valued) < 2:
        return None
    best, steps = None, []
    for trial in valued:
        if trial["state"] == "finished" and (best is None or trial["value"] > best):
            best = trial["value"]
        steps.append((trial["trial"], best))
    line = [(number, value) for number, value in steps if value is not None]

    def draw(axes: Axes) -> None:
        for state, sign, shade in (("finished", "o", OTHER), ("pruned", "x", PALE)):
            own = [trial for trial in valued if (trial["state"] == "finished") == (state == "finished")]
            if not own:
                continue
            axes.plot(
                [trial["trial"] for trial in own],
                [trial["value"] for trial in own],
                sign,
                color=colour(shade),
                label=state,
            )
        axes.step([x for x, _ in line], [y for _, y in line], where="post", color=colour(ACCENT), label="best so far")
        _finish(axes, results, "trial")
        axes.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0), handlelength=1.2, columnspacing=1.0)

    return Chart("Validation by trial", verdict(results), draw, height=280, width=600, narrow_height=240)


def curves(results: Mapping[str, Any]) -> Chart | None:
    """The best validation so far of every trial by epoch, the best trial's in colour; ``None`` without any."""
    shown = [trial for trial in results["trials"] if len(trial["curve"]) > 1]
    if not shown:
        return None
    best = None if results["best"] is None else results["best"]["trial"]

    def draw(axes: Axes) -> None:
        for trial in sorted(shown, key=lambda trial: trial["trial"] == best):
            chosen = trial["trial"] == best
            axes.plot(
                [epochs for epochs, _ in trial["curve"]],
                [value for _, value in trial["curve"]],
                color=colour(ACCENT if chosen else OTHER if trial["state"] == "finished" else PALE),
                linewidth=2.5 if chosen else 1.0,
            )
        _finish(axes, results, "epoch")

    note = "In colour the best trial. Pruned trials end where they were stopped."
    says = f"{len(shown)} trials, their best validation until each epoch."
    return Chart("Best validation until each epoch", says, draw, height=280, width=600, narrow_height=240, note=note)


def _finish(axes: Axes, results: Mapping[str, Any], across: str) -> None:
    axes.set_xlabel(across)
    axes.set_ylabel(f"validation {metric_name(results['metric'])}")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=2))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    grid(axes, "y")


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
