"""Write ``docs/results.md`` and the README's table from the stored comparisons.

    python benchmarks results_page

Nothing on the page is typed by hand but ``benchmarks/pages/results_notes.md``, which is put in at its end.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Annotated, Any

import typer
from harness.machine import RESULTS
from harness.program import run_program
from pages.comparisons import COMPARISONS, FIGURES, FIRST, SECOND, Section
from pages.figures import write_figures
from pages.markdown import Result, between_marks, folded, origin, read, table
from pages.reference_numbers import REFERENCE

from alignrec_geo.files import atomic_path
from alignrec_geo.reporting.rows import Row, costs_compare, summarise
from alignrec_geo.reporting.tables import group_table
from alignrec_geo.reporting.verdict import story

ROOT = Path(__file__).parents[2]
NOTES = Path(__file__).with_name("results_notes.md")
BEGIN = "<!-- made by benchmarks/pages/results_page.py -->"

INTRODUCTION = """# AlignRec compared with the baselines

Test split, all items ranked, mean over seeds; settings chosen on validation, with as many trials for every model.
"""
READING = """## How to read the tables

Mean ± standard deviation over seeds. Settings are chosen on validation, with as many trials for every model as the
text says; trial 0 are the defaults. *alignrec − model* is the mean difference in Recall@20 per user, over the seeds;
`*` marks a Holm-corrected p below .05 (Wilcoxon signed-rank, paired over users; one seed is not tested). Bold: the
best of the trained models. Seconds and memory are medians over the seeds, on the device that the last line of each
comparison names, which other runs kept busy, so they tell apart what differs by a factor. On a CPU a run has one
thread. Memory is the peak of the whole process, Python and torch included, without what lies on a GPU. Models of one
comparison that were trained on different devices are shown without both. Non-learned baselines are not trained. This
page is made by `python benchmarks results_page` from `benchmarks/results/*.json`.
"""


def main(
    results: Annotated[Path, typer.Option(help="Folder of results.")] = RESULTS,
    docs: Annotated[Path, typer.Option(help="Where results.md goes.")] = ROOT / "docs",
    readme: Annotated[Path, typer.Option(help="The README, with the marked place.")] = ROOT / "README.md",
    notes: Annotated[Path, typer.Option(help="Text for the end of the page.")] = NOTES,
) -> None:
    """Write the page, and the README's table."""
    found = read(results)
    write_figures(found, docs / "images", "results")
    with atomic_path(docs / "results.md") as staging:
        staging.write_text(render(found, notes.read_text(encoding="utf-8")), encoding="utf-8")
    text = between_marks(readme.read_text(encoding="utf-8"), BEGIN, readme_tables(found), str(readme))
    with atomic_path(readme) as staging:
        staging.write_text(text, encoding="utf-8")
    print(docs / "results.md", readme)


def render(results: Mapping[str, Result], notes: str) -> str:
    """Return the page."""
    parts = [INTRODUCTION]
    for name, section in COMPARISONS.items():
        if name in results:
            parts += [f"## {section.title}\n", *comparison(name, results[name], section), made_by(results[name])]
    if "tiktok-reference" in results:
        result = results["tiktok-reference"]
        parts += ["## Against the reference code\n", AGAINST.rstrip("\n") + _note(result)]
        parts += [against_reference(result), made_by(result)]
    parts += [READING, notes]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def readme_tables(results: Mapping[str, Result]) -> str:
    """What the README shows: the first table, whose introduction stands there, and the second with its own."""
    result, section = results[SECOND], COMPARISONS[SECOND]
    second = f"{section.title}: {section.about} {_budget(result)}"
    command = f"```console\n$ {result['command']}\n```"
    tables = [short_table(results[name]) for name in (FIRST, SECOND)]
    return "\n".join([tables[0], f"{second}{_note(result)}\n", f"{command}\n", tables[1]])


def short_table(result: Result) -> str:
    """Quality overall and on tail items, and the seconds it takes where these compare."""
    tail = _by_model(group_table(result, "items"), "tail")
    rows = _ordered(result)
    names = ("seconds_per_epoch", "seconds_to_best") if costs_compare(rows) else ()
    lines = [[*_quality(row), tail.get(row.model, ""), *(_cost(row, name) for name in names)] for row in rows]
    head = [*QUALITY, _against(result), "Recall@20, tail items", *(COSTS[name] for name in names)]
    return _with_seeds(head, _raced(lines, highest=(1, 2, 4), skip=_non_learned(result)), rows)


def comparison(name: str, result: Result, section: Section) -> Iterable[str]:
    """The sections of one comparison: the story and its figures, quality and cost, groups, what was chosen."""
    rows = _ordered(result)
    costs = COSTS if costs_compare(rows) else {}
    yield f"{section.about} {_budget(result)}\n"
    yield " ".join(story(result, summarise(result))) + "\n"
    for figure, says in FIGURES.get(name, {}).items():
        yield f"![{says}](images/{figure}.svg)\n"
    quality = [[*_quality(row), *(_cost(row, name) for name in costs)] for row in rows]
    head = [*QUALITY, _against(result), *costs.values()]
    yield _with_seeds(head, _raced(quality, highest=(1, 2), skip=_non_learned(result)), rows)
    order = [row.model for row in rows]
    for kind, words in (("items", "items' popularity in training"), ("users", "users' number of training items")):
        labels, groups = group_table(result, kind)
        groups.sort(key=lambda line: order.index(line[0]))
        yield f"Recall@20 by {words}:\n"
        yield table(labels, _raced(groups, highest=range(1, len(labels)), skip=_non_learned(result)))
    if result["trials"]:
        chosen = [_chosen(model) for model in result["models"] if model["trials"]]
        chosen.sort(key=lambda line: order.index(line[0]))
        head = ["model", "trials", "defaults", "chosen", "settings"]
        yield "Settings that validation chose, and its Recall@20 with the defaults and with the choice (seed 0):\n"
        yield folded("Chosen settings", table(head, chosen))
    if "note" in result:
        yield f"{_note(result).strip()}\n"


AGAINST = """\
The defaults are the field's usual settings. The reference code was run once or twice per model with the same ones on
the same split (patience 20, its own seeds); GRCN without routing and MMGCN with frozen ids, as its code has them.
*reference* is Recall@20 and NDCG@20 of its runs, *distance* how far our mean is from the best of them, in our standard
deviations. Seconds per epoch are ours, with validation and beside another run, and the reference's training alone, on
one core each.
"""
AGAINST_HEAD = (
    "model", "Recall@20", "NDCG@20", "epochs", "reference", "distance", "s / epoch", "the reference's runs",
)  # fmt: skip


def against_reference(result: Result) -> str:
    """Our seeds with the reference code's settings beside its own runs."""
    rows = []
    for model in result["models"]:
        runs = [run for run in model["runs"] if run["error"] is None]
        if not runs or model["name"] not in REFERENCE:
            continue
        theirs = REFERENCE[model["name"]]
        recalls = [run["metrics"]["recall@20"] for run in runs]
        best = max(theirs.runs)
        distance = f"{(fmean(recalls) - best[0]) / stdev(recalls):+.1f}" if len(recalls) > 1 else ""
        rows.append(
            [
                model["name"],
                *(_mean([run["metrics"][name] for run in runs]) for name in ("recall@20", "ndcg@20")),
                "–".join(str(bound([run["epochs"] for run in runs])) for bound in (min, max)),
                "<br>".join(f"{recall:.4f} / {ndcg:.4f}" for recall, ndcg in theirs.runs),
                distance,
                f"{median(run['seconds_per_epoch'] for run in runs):.2f} / {theirs.seconds:.2f}",
                theirs.note,
            ]
        )
    return table(AGAINST_HEAD, rows)


def made_by(result: Result) -> str:
    """Where a comparison comes from; of one that went from machine to machine, all devices and the last versions."""
    machines = result.get("machines") or [result["machine"]]
    names = [*(machine["gpu"] for machine in machines if "gpu" in machine), *(machine["cpu"] for machine in machines)]
    return origin({**result, "machine": {**machines[-1], "cpu": " and ".join(dict.fromkeys(names))}})


QUALITY = ("model", "Recall@20", "NDCG@20")
COSTS = {
    "seconds_per_epoch": "s / epoch",
    "seconds_to_best": "s to best",
    "peak_memory_mb": "MB",
    "parameters": "parameters",
}
"""Columns of costs."""


def _budget(result: Result) -> str:
    least = min(row.done for row in summarise(result))
    seeds = f"{least} to {result['seeds']} seeds" if least < result["seeds"] else _counted(result["seeds"], "seed")
    return f"Protocol `{result['protocol']}`, {_counted(result['trials'], 'trial')} per model, {seeds}."


def _counted(count: int, of: str) -> str:
    return f"{count} {of}" if count == 1 else f"{count} {of}s"


def _note(result: Result) -> str:
    return f" Note: {result['note'].rstrip('.')}." if "note" in result else ""


def _ordered(result: Result) -> list[Row]:
    return sorted(summarise(result), key=lambda row: row.non_learned)


def _non_learned(result: Result) -> set[str]:
    return {row.model for row in summarise(result) if row.non_learned}


def _against(result: Result) -> str:
    return f"{result['reference']} − model"


def _by_model(groups: tuple[list[str], list[list[str]]], label: str) -> dict[str, str]:
    labels, rows = groups
    return {row[0]: row[labels.index(label)] for row in rows}


def _chosen(model: Mapping[str, Any]) -> list[str]:
    values = {trial["number"]: trial["validation"]["recall@20"] for trial in model["trials"] if trial["error"] is None}
    settings = ", ".join(f"{name.removeprefix('training.')} {value}" for name, value in model["chosen"].items())
    first = f"{values[0]:.4f}" if 0 in values else "failed"
    return [model["name"], str(len(model["trials"])), first, f"{max(values.values()):.4f}", settings]


def _quality(row: Row) -> list[str]:
    return [row.model, _spread(row, "recall@20"), _spread(row, "ndcg@20"), _difference(row)]


def _raced(rows: Sequence[Sequence[str]], highest: Iterable[int], skip: set[str]) -> list[list[str]]:
    """Lines of a table with the highest number of each named column in bold, those of ``skip`` left out of the race."""
    lines = [list(row) for row in rows]
    for column in highest:
        racing = [line for line in lines if line[0] not in skip and _number(line[column]) is not None]
        if racing:
            top = max(_number(line[column]) or 0.0 for line in racing)
            for line in racing:
                if _number(line[column]) == top > 0:
                    line[column] = f"**{line[column]}**"
    return lines


def _with_seeds(head: Sequence[str], lines: Sequence[Sequence[str]], rows: Sequence[Row]) -> str:
    """The table, with a column of how many seeds each of its rows has where they differ."""
    if len({row.done for row in rows}) == 1:
        return table(head, lines)
    return table(
        [head[0], "seeds", *head[1:]],
        [[line[0], str(row.done), *line[1:]] for line, row in zip(lines, rows, strict=True)],
    )


def _number(cell: str) -> float | None:
    first = cell.split(" ")[0].strip("*")
    try:
        return float(first)
    except ValueError:
        return None


def _spread(row: Row, name: str) -> str:
    return _plus_minus(row.means[name], row.spreads.get(name)) if name in row.means else "–"


def _mean(values: Sequence[float]) -> str:
    return _plus_minus(fmean(values), stdev(values) if len(values) > 1 else None)


def _plus_minus(mean: float, spread: float | None) -> str:
    return f"{mean:.4f}" if spread is None else f"{mean:.4f} ± {spread:.4f}"


def _difference(row: Row) -> str:
    return "" if row.difference is None else f"{row.difference:+.4f}{'*' if row.significant else ''}"


def _cost(row: Row, name: str) -> str:
    value = row.costs.get(name)
    if value is None or row.non_learned:
        return ""
    return f"{value:.2f}" if name == "seconds_per_epoch" else f"{value:,.0f}"


if __name__ == "__main__":
    run_program(main)
