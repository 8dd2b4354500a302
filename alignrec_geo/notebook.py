"""Small tables for notebooks."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from alignrec_geo.plain import printable


def html_table(rows: Iterable[Sequence[object]], header: Sequence[object] = (), title: object = "") -> str:
    """Return a table as HTML; every text in it is text.

    Args:
        rows: the cells; the first one of a row is its name where there is no header.
        header: the titles of the columns.
        title: what stands above, nothing if empty.

    Example:
        >>> html_table([("users", 3)])
        '<table><tr><th>users</th><td>3</td></tr></table>'
    """
    above = f"<b>{_text(title)}</b>" if title else ""
    titles = f"<tr>{''.join(f'<th>{_text(name)}</th>' for name in header)}</tr>" if header else ""
    kinds = ("td" if header else "th", "td")
    body = "".join(
        "<tr>" + "".join(f"<{kinds[n > 0]}>{_text(cell)}</{kinds[n > 0]}>" for n, cell in enumerate(row)) + "</tr>"
        for row in rows
    )
    return f"{above}<table>{titles}{body}</table>"


def metrics_table(metrics: Mapping[str, float], title: object = "") -> str:
    """Return ``{"recall@20": …}`` as a table, a row per metric and a column per cutoff."""
    parts = [key.partition("@") for key in metrics]
    names, cutoffs = list(dict.fromkeys(part[0] for part in parts)), list(dict.fromkeys(part[2] for part in parts))
    cells = {key: f"{value:.4f}" for key, value in metrics.items()}
    rows = [[name, *(cells.get(f"{name}@{k}", "–") for k in cutoffs)] for name in names]
    return html_table(rows, ["", *(f"@{k}" for k in cutoffs)], title)


def _text(value: object) -> str:
    return escape(printable(str(value)))
