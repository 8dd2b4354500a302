"""An explanation as one self-contained page: inline style and images, no script, no request."""

import base64
from os import PathLike
from pathlib import Path
from typing import Any

from alignrec_geo.explaining.explanation import PARTS, REST, SEEN, Explanation, PastItem, signed
from alignrec_geo.files import atomic_path
from alignrec_geo.image_files import read_image, thumbnail
from alignrec_geo.outputs import output_file
from alignrec_geo.reading import as_path
from alignrec_geo.reporting.html import PAGES, STYLE

SIDE = 160
"""Pixels of the longer side of an image on the page: twice what is shown, for dense screens."""
MOST = 60
"""Past items with a row of their own; what the others bring is one row."""

PAGE = (
    """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ why.headline }}</title>
"""
    + STYLE
    + """<style>
body { max-width: 60rem; }
h1 { font-size: 1.5rem; line-height: 1.25; overflow-wrap: anywhere; }
header { display: flex; gap: 1rem; align-items: flex-start; flex-wrap: wrap; }
header > div { flex: 1 1 18rem; }
img { border-radius: .3rem; display: block; object-fit: contain; background: #8882; }
header img { width: 8rem; height: 8rem; } li img, .blank { width: 3.5rem; height: 3.5rem; flex: none; }
.blank { border-radius: .3rem; background: #8882; }
.score { font-size: 1.15rem; } .how { font-weight: 600; }
ol { list-style: none; padding: 0; margin: 1rem 0; }
li { display: flex; gap: .8rem; align-items: center; padding: .45rem 0; border-bottom: 1px solid #8884; }
li > div { flex: 1; min-width: 0; } .name { overflow-wrap: anywhere; } .id { opacity: .7; font-size: .8rem; }
.value { font-variant-numeric: tabular-nums; text-align: right; flex: none; width: 4.6rem; }
.bars { margin-top: .2rem; } .bar { height: .5rem; margin-bottom: 2px; background: linear-gradient(90deg,
transparent calc({{ zero }}% - 1px), #8884 calc({{ zero }}% - 1px) {{ zero }}%, transparent {{ zero }}%); }
.bar i { display: block; height: 100%; }
.identity { background: #2563a8; } .content { background: #c2410c; }
@media (prefers-color-scheme: dark) { .identity { background: #7db4ec; } .content { background: #f59e6b; } }
.key { display: block; } .key i + i { margin-left: .8rem; }
.key i { display: inline-block; width: .8rem; height: .8rem; border-radius: .15rem; margin-right: .3rem; }
.parts th { white-space: normal; } .parts td, .parts th { text-align: right; }
</style></head><body>
{% macro bar(value, kind) %}<div class="bar"><i class="{{ kind }}" style="margin-left: {{ "%.1f" | format(start(value))
}}%; width: {{ "%.1f" | format(width(value)) }}%"></i></div>{% endmacro %}
<header>{% if image %}<img src="{{ image }}" alt="">{% endif %}<div>
<h1>{{ why.headline }}</h1>
<p class="score">Score <strong>{{ "%.4f" | format(why.score) }}</strong>, {{ why.place }}.</p>
<p class="note">Model {{ why.model }} on {{ why.dataset }}; item {{ why.item }}.</p></div></header>
<h2>Identity and content</h2>
<p>Both vectors are sums of what was learned for an ID and of what depends on content, so the score is a sum of
{{ "five" if rest else "four" }} parts: <span class="how">{{ why.parts_are }}</span>.</p>
<table class="parts"><thead><tr><th></th><th>item's identity</th><th>item's content</th></tr></thead><tbody>
<tr><th>user's identity</th><td>{{ part(0) }}</td><td>{{ part(1) }}</td></tr>
<tr><th>user's content</th><td>{{ part(2) }}</td><td>{{ part(3) }}</td></tr></tbody></table>
{% if rest %}<p>The rest, {{ rest }}, is {{ "biases, the same for everybody" if why.parts_are == "exact" else
"biases and what is not of first order" }}.</p>{% endif %}
<h2>Where the user's vector begins</h2>
<p>The same score by its sources: <span class="how">{{ why.history_is }}</span>.</p>
<table><tbody>{% for name, value in sources %}<tr><td>{{ name }}</td><td>{{ value }}</td></tr>
{% endfor %}</tbody></table>
<h2>Which past items carry it</h2>
{% if history %}<p>{{ carried_how }} <span class="how">{{ why.history_is }}</span>.
<span class="key"><i class="identity"></i>of identity<i class="content"></i>of content</span></p>
<ol>{% for one in history %}<li>{% if one.image %}<img src="{{ one.image }}" alt="" loading="lazy">{% else %}
<span class="blank"></span>{% endif %}<div><div class="name">{{ one.name }}</div>{% if one.id %}
<div class="id">{{ one.id }}</div>{% endif %}<div class="bars">{{ bar(one.identity, "identity") }}
{{ bar(one.content, "content") }}</div></div>
<span class="value">{{ one.value }}</span></li>{% endfor %}
{% for name, value in others %}<li><span class="blank"></span><div><div class="name">{{ name }}</div></div>
<span class="value">{{ value }}</span></li>{% endfor %}</ol>
{% else %}<p>None: this model learns every user's vector by itself, so no past item has a part in it.</p>{% endif %}
</body></html>
"""
)
HOW = {
    True: "Every path over which something reaches the user comes from one of the items that the user has in training:",
    False: "What the vectors of each item that the user has in training change, gradient × input:",
}


def write_page(why: Explanation, path: str | PathLike[str]) -> None:
    """Write an explanation as one self-contained page, with the images of the item and of the past items.

    Args:
        why: the explanation.
        path: the file, HTML.

    Raises:
        InputError: the path is a folder, or lies under a file.

    Example:
        >>> write_page(explain("runs/shop", "C-1029", "SKU-77"), "why.html")  # doctest: +SKIP
    """
    target, text = output_file(as_path(path)), page(why)
    with atomic_path(target) as staging:
        staging.write_text(text, encoding="utf-8")


def page(why: Explanation) -> str:
    """Return the page."""
    shown, left = why.history[:MOST], why.history[MOST:]
    others = dict(why.others)
    if left:
        others = {f"{len(left)} more past items": sum(one.contribution for one in left), **others}
    rest = why.parts[REST]
    numbers = [0.0, *(value for one in shown for value in (one.identity, one.content))]  # sums would dwarf single items
    low, span = min(numbers), max(max(numbers) - min(numbers), 1e-12)
    return PAGES.from_string(PAGE).render(
        why=why,
        image=_thumbnail(why.image),
        part=lambda number: _signed(why.parts[PARTS[number]]),
        rest=_signed(rest) if abs(rest) >= SEEN else "",
        sources=[(name, _signed(value)) for name, value in why.sources.items() if abs(value) >= SEEN],
        carried_how=HOW[why.history_is == "exact"],
        history=[_row(one) for one in shown],
        others=[(name, _signed(value)) for name, value in others.items()],
        zero=f"{-100 * low / span:.1f}",
        start=lambda value: 100 * (min(value, 0.0) - low) / span,
        width=lambda value: 100 * abs(value) / span,
    )


def _row(one: PastItem) -> dict[str, Any]:
    return {
        "name": one.title or one.item,
        "id": one.item if one.title else "",
        "image": _thumbnail(one.image),
        "identity": one.identity,
        "content": one.content,
        "value": _signed(one.contribution),
    }


def _signed(value: float) -> str:
    return signed(value).replace("-", "−")


def _thumbnail(file: Path | None) -> str | None:
    """A small JPEG as a ``data:`` address; ``None`` where there is no image that can be read."""
    if file is None:
        return None
    small = read_image(file, lambda image: thumbnail(image, SIDE))
    return None if isinstance(small, str) else f"data:image/jpeg;base64,{base64.b64encode(small).decode()}"
