"""The main table as cells, Markdown, CSV and LaTeX."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from alignrec_geo.evaluation.metrics import SHOWN
from alignrec_geo.plain import printable
from alignrec_geo.reporting.rows import ALPHA, COSTS, Row, best_two, metric_columns
from alignrec_geo.reporting.words import model_name

SHORT = {"recall@10": "R@10", "recall@20": "R@20", "ndcg@10": "N@10", "ndcg@20": "N@20"}

_LATEX = {sign: f"\\{sign}" for sign in "&%$#_{}"} | {
    "\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "±": r"$\pm$", "−": "$-$", "–": "--",
}  # fmt: skip


def header(metrics: Sequence[str], reference: str) -> list[str]:
    """The titles of the columns.

    Args:
        metrics: those of :func:`~alignrec_geo.reporting.rows.metric_columns`.
        reference: the model that the others are compared with.
    """
    costs = ("s/epoch", "s to best", "MB", "parameters")
    return ["model", *(SHORT.get(name, name) for name in metrics), difference_title(reference), *costs, "seeds"]


def difference_title(reference: str) -> str:
    """The title of the column of differences: ``AlignRec − model``."""
    return f"{model_name(reference)} − model"


def cells(row: Row, metrics: Sequence[str] = SHOWN) -> list[str]:
    """One row as text, without marks for the best."""
    values = [_metric(row, name) for name in metrics]
    difference = "" if row.difference is None else f"{row.difference:+.4f}{'*' if row.significant else ''}"
    return [printable(row.model), *values, difference, *(_cost(row, name) for name in COSTS), row.seeds]


def markdown(rows: Sequence[Row], reference: str) -> str:
    """The table in Markdown: the best value bold, the second in italics, non-learned baselines below."""
    marked = [_marked(row, rows, ("**{}**", "_{}_"), _plain_markdown) for row in _non_learned_last(rows)]
    titles = [_plain_markdown(printable(title)) for title in header(metric_columns(rows), reference)]
    lines = [_line(titles), _line(["---", *["--:"] * (len(titles) - 1)]), *(_line(row) for row in marked)]
    return "\n".join(lines) + "\n\n" + legend(reference) + "\n"


def latex(rows: Sequence[Row], reference: str) -> str:
    """The table in LaTeX (``booktabs``): the best value bold, the second underlined, non-learned ones below a rule."""
    body = []
    ordered = _non_learned_last(rows)
    for number, row in enumerate(ordered):
        if row.non_learned and number and not ordered[number - 1].non_learned:
            body.append(r"\midrule")
        marked = _marked(row, rows, (r"\textbf{{{}}}", r"\underline{{{}}}"), _escaped)
        body.append(" & ".join(marked) + r" \\")
    titles = header(metric_columns(rows), reference)
    head = " & ".join(_escaped(printable(name)) for name in titles) + r" \\"
    columns = "l" + "r" * (len(titles) - 1)
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            head,
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def as_csv(rows: Sequence[Row]) -> str:
    """The numbers, unrounded: one line per model."""
    stream = io.StringIO()
    metrics = metric_columns(rows)
    names = [*metrics, *(f"{name} sd" for name in metrics), "difference", "p_holm", *COSTS, "seeds", "seeds_wanted"]
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["model", *names])
    for row in rows:
        numbers: list[Any] = [row.means.get(name, "") for name in metrics]
        numbers += [row.spreads.get(name, "") for name in metrics]
        numbers += ["" if value is None else value for value in (row.difference, row.p)]
        writer.writerow([row.model, *numbers, *(row.costs.get(name, "") for name in COSTS), row.done, row.wanted])
    return stream.getvalue()


def group_table(results: Mapping[str, Any], kind: str) -> tuple[list[str], list[list[str]]]:
    """Mean Recall@20 of every model by group (``kind`` is ``users`` or ``items``): header and rows."""
    labels: list[str] = []
    means: list[tuple[str, dict[str, float]]] = []
    for model in results["models"]:
        found: dict[str, list[float]] = {}
        for run in model["runs"]:
            for label, group in ((run.get("groups") or {}).get(kind) or {}).items():
                if (value := group.get("recall@20")) is not None:
                    found.setdefault(label, []).append(value)
        labels += [label for label in found if label not in labels]
        means.append((model["name"], {label: sum(values) / len(values) for label, values in found.items()}))
    rows = [[name, *(f"{own[label]:.4f}" if label in own else "–" for label in labels)] for name, own in means if own]
    return ["model", *labels], rows


def legend(reference: str) -> str:
    """What the columns mean, in Markdown."""
    title = _plain_markdown(printable(difference_title(reference)))
    return (
        f"Mean ± standard deviation over seeds. “{title}” is the mean difference in Recall@20 per user; "
        f"* marks a Holm-corrected p below {ALPHA} (paired Wilcoxon over users, where both have two "
        "seeds). The marks of the best and the second count every model, also those that learn nothing. "
        "Seconds and memory are medians over seeds; memory is the peak of the whole process."
    )


def _metric(row: Row, name: str) -> str:
    if name not in row.means:
        return "failed" if row.failed else "–"
    spread = f" ± {row.spreads[name]:.4f}" if name in row.spreads else ""
    return f"{row.means[name]:.4f}{spread}"


def _cost(row: Row, name: str) -> str:
    value = row.costs.get(name)
    if value is None:
        return "–"
    return f"{value:.2f}" if name == "seconds_per_epoch" else f"{value:,.0f}"


def _marked(row: Row, rows: Sequence[Row], marks: tuple[str, str], escape: Callable[[str], str]) -> list[str]:
    text = [escape(cell) for cell in cells(row, metric_columns(rows))]
    for place, name in enumerate(SHOWN, start=1):
        for mark, best in zip(marks, best_two(rows, name), strict=True):
            if row.model in best:
                text[place] = mark.format(text[place])
    return text


def _non_learned_last(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row.non_learned)


def _line(values: Sequence[str]) -> str:
    return "| " + " | ".join(values) + " |"


def _plain_markdown(text: str) -> str:
    """A text that Markdown shows as it is."""
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>|~#&" else sign for sign in text)


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in text)
