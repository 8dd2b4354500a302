"""The skeleton of every page: one file with inline style and inline figures, no script, no request."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from alignrec_geo.machine import installed
from alignrec_geo.plain import printable
from alignrec_geo.reporting.look import DARK, FONT, LIGHT, variables

TEMPLATES = Path(__file__).with_name("templates")
PROTOCOLS = {
    "clean": "all items are ranked; training items are left out, at test the validation items too",
    "mmrec": "all items are ranked; only training items are left out, as in the field's published tables",
}
_SIZE, _IMAGES = "␟size of this page␟", "␟images of this page␟"
"""Stand where the page says how large it is, which is known once it is made."""


def render(template: str, **values: Any) -> str:
    """Return a page; every text in it is escaped, and shows no control characters.

    Args:
        template: file in ``templates``, which extends ``base.html``.
        values: what it names.
    """
    text = pages().get_template(template).render(size=_SIZE, with_images=_IMAGES, **values)
    count = text.count("<img ")
    images = f" with {count:,} small image{'' if count == 1 else 's'}" if count else ""
    size = f"{len(text.encode()) / 1000:,.0f} kB"
    return text.replace(_SIZE, size).replace(_IMAGES, images)


@cache
def pages() -> Environment:
    """How the text of all pages is treated."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, finalize=shown, undefined=StrictUndefined, trim_blocks=True
    )
    light, dark = (Markup(variables(colours)) for colours in (LIGHT, DARK))
    style = made.get_template("style.css").render(light=light, dark=dark, font=Markup(FONT))
    made.globals.update(style=Markup(style), version=installed("alignrec-geo"))
    return made


def shown(value: Any) -> Any:
    """What a page shows of a text: no control characters; it is escaped after that."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def made_on(machine: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a run was made on, as names and values.

    Args:
        machine: what :func:`alignrec_geo.machine.machine` gave.
    """
    versions = machine.get("versions")
    named = ", ".join(f"{name} {version}" for name, version in versions.items()) if isinstance(versions, dict) else ""
    cpus, threads = (_several(machine.get(name), word) for name, word in (("cpus", "processor"), ("threads", "thread")))
    rows = {
        "date": machine.get("date"),
        "machine": ", ".join(str(part) for part in (machine.get("gpu"), machine.get("cpu"), cpus, threads) if part),
        "Python": machine.get("python"),
        "versions": named,
    }
    return [(name, str(value)) for name, value in rows.items() if value]


def _several(number: Any, word: str) -> str:
    return "" if not number else f"{number} {word}{'' if number == 1 else 's'}"
