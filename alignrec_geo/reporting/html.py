"""One self-contained page of a comparison: inline style, inline figures, no script, no request."""

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from alignrec_geo.evaluation.metrics import SHOWN
from alignrec_geo.plain import printable
from alignrec_geo.reporting.rows import Row, best_two, has_several_seeds, metric_columns
from alignrec_geo.reporting.tables import cells, group_table, header, legend
from alignrec_geo.reporting.verdict import verdict

PROTOCOLS = {
    "clean": "all items are ranked; training items are left out, at test the validation items too",
    "mmrec": "all items are ranked; only training items are left out, as in the field's published tables",
}

STYLE = """<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; font-size: .85rem; margin: 1rem 0; display: block; overflow-x: auto; }
td, th { padding: .25rem .6rem; border-bottom: 1px solid #8884; text-align: right; white-space: nowrap; }
td:first-child, th:first-child { text-align: left; }
.first { font-weight: 700; } .second { text-decoration: underline; } .non-learned { opacity: .7; }
figure { margin: 1rem 0; background: #fff; color: #111; padding: .5rem; } svg { max-width: 100%; height: auto; }
small, .note { opacity: .8; }
</style>"""

PAGE = (
    """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{ results.dataset.name }}: comparison</title>
"""
    + STYLE
    + """</head><body>
<h1>{{ results.models | length }} model{{ "" if results.models | length == 1 else "s" }} on
{{ results.dataset.name }}</h1>
<p>{{ "{:,}".format(results.dataset["users"]) }} users, {{ "{:,}".format(results.dataset["items"]) }} items;
{{ "{:,}".format(results.dataset["train"]) }} training,
{{ "{:,}".format(results.dataset["validation"]) }} validation and
{{ "{:,}".format(results.dataset["test"]) }} test pairs. Protocol {{ results.protocol }}: {{ protocol }}.
Features: {{ results.features | join(", ") or "none" }}. {{ budget }}</p>
<p><strong>{{ verdict }}</strong></p>
<h2>Results</h2>
<table><thead><tr>{% for name in header %}<th>{{ name }}</th>{% endfor %}</tr></thead><tbody>
{% for row in rows %}<tr{% if row.non_learned %} class="non-learned"{% endif %}>
{% for cell, mark in row.cells %}<td{% if mark %} class="{{ mark }}"{% endif %}>{{ cell }}</td>{% endfor %}
</tr>{% endfor %}</tbody></table>
<p class="note">{{ legend }}</p>
{% for title, figure in figures %}<figure><figcaption>{{ title }}</figcaption>{{ figure }}</figure>{% endfor %}
{% for title, head, body in groups %}<h2>{{ title }}</h2>
<table><thead><tr>{% for name in head %}<th>{{ name }}</th>{% endfor %}</tr></thead><tbody>
{% for line in body %}<tr>{% for cell in line %}<td>{{ cell }}</td>{% endfor %}</tr>{% endfor %}</tbody></table>
{% endfor %}
<h2>Significance</h2>
{% if not tests %}<p class="note">Nothing is tested: a test takes two finished seeds of {{ results.reference }} and of
another model.</p>
{% else %}<p class="note">{{ results.reference }} minus the other model: mean per user over seeds, 95 % paired bootstrap
interval,
Wilcoxon signed-rank test, Holm-corrected.</p>
<table><thead><tr><th>model</th><th>metric</th><th>difference</th><th>from</th><th>to</th><th>p</th>
<th>p, corrected</th><th>users</th></tr></thead><tbody>
{% for test in tests %}<tr><td>{{ test.baseline }}</td><td>{{ test.metric }}</td>
<td>{{ "%+.4f" | format(test.difference) }}</td><td>{{ "%+.4f" | format(test.low) }}</td>
<td>{{ "%+.4f" | format(test.high) }}</td><td>{{ "%.3g" | format(test.p) }}</td>
<td>{{ "%.3g" | format(test.p_holm) }}</td><td>{{ test.users }}</td></tr>{% endfor %}</tbody></table>{% endif %}
<h2>Settings</h2>
{% for model in results.models %}<details><summary>{{ model.name }}{% if model.chosen %}: {% for name, value in
model.chosen.items() %}{{ name }}={{ value }} {% endfor %}{% endif %}</summary>
<table><tbody>{% for section in ("parameters", "training") %}{% for name, value in model[section].items() %}
<tr><td>{{ section }}.{{ name }}</td><td>{{ value }}</td></tr>{% endfor %}{% endfor %}</tbody></table>
{% if model.trials %}<table><thead><tr><th>trial</th><th>settings</th><th>validation Recall@20</th><th>epochs</th>
</tr></thead><tbody>{% for trial in model.trials %}<tr><td>{{ trial.number }}</td><td>{{ trial.settings }}</td>
<td>{{ "%.4f" | format(trial.validation["recall@20"]) if trial.validation else trial.error }}</td>
<td>{{ trial.epochs }}</td></tr>{% endfor %}</tbody></table>{% endif %}
{% for run in model.runs if run.error %}<p>seed {{ run.seed }} failed: {{ run.error }}</p>{% endfor %}
</details>{% endfor %}
<h2>How it was made</h2>
<p><code>{{ results.command }}</code></p>
<p><small>{% for name, value in results.machine.items() %}{{ name }}: {{ value }}. {% endfor %}</small></p>
</body></html>
"""
)


def shown(value: Any) -> Any:
    """What a page shows of a text: no control characters; it is escaped after that."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


PAGES = Environment(autoescape=True, finalize=shown)
"""How the text of all pages is treated."""


def page(results: Mapping[str, Any], rows: Sequence[Row], figures: Sequence[tuple[str, str]]) -> str:
    """Return the page.

    Args:
        results: the content of ``results.json``.
        rows: the main table.
        figures: title and ``<svg>`` element of every figure.
    """
    template = PAGES.from_string(PAGE)
    kinds = (("users", "Recall@20 by the length of users' history"), ("items", "Recall@20 by items' popularity"))
    groups = [(title, *group_table(results, kind)) for kind, title in kinds]
    metrics = metric_columns(rows)
    return template.render(
        results=results,
        protocol=PROTOCOLS[results["protocol"]],
        budget=_budget(results),
        verdict=verdict(results, rows),
        header=header(metrics),
        rows=[
            {
                "non_learned": row.non_learned,
                "cells": list(zip(cells(row, metrics), _marks(row, rows, metrics), strict=True)),
            }
            for row in sorted(rows, key=lambda row: row.non_learned)
        ],
        legend=legend(),
        figures=[(title, Markup(svg)) for title, svg in figures],
        tests=[test for test in results["significance"] if test["baseline"] in has_several_seeds(results)],
        groups=[group for group in groups if group[2]],
    )


def _budget(results: Mapping[str, Any]) -> str:
    trials = results["trials"]
    tuned = (
        f"{trials} {'trial' if trials == 1 else 'trials'} each, chosen on validation"
        if trials
        else "default settings, nothing tuned"
    )
    seeds = results["seeds"]
    return f"Budget: {tuned}; then {seeds} {'seed' if seeds == 1 else 'seeds'}."


def _marks(row: Row, rows: Sequence[Row], metrics: Sequence[str]) -> list[str]:
    marks = [""] * len(header(metrics))
    for place, name in enumerate(SHOWN, start=1):
        for mark, best in zip(("first", "second"), best_two(rows, name), strict=True):
            if row.model in best:
                marks[place] = mark
    return marks
