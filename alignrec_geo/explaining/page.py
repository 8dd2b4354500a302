"""An explanation as one self-contained page: inline style and images, no script, no request."""

from os import PathLike
from typing import Any

from alignrec_geo.explaining.explanation import PARTS, REST, SEEN, Explanation, PastItem, signed
from alignrec_geo.files import atomic_path
from alignrec_geo.outputs import output_file
from alignrec_geo.reading import as_path
from alignrec_geo.reporting.pages import render
from alignrec_geo.reporting.thumbnails import thumbnail

MOST = 60
"""Past items with a row of their own; what the others bring is one row."""

KINDS = ("identity", "content")
"""What a past item brings; a model on ids alone has no content, and its page names none."""

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
    return render(
        "explanation.html",
        why=why,
        image=thumbnail(why.image, 256),
        part=lambda number: _signed(why.parts[PARTS[number]]),
        rest=_signed(rest) if abs(rest) >= SEEN else "",
        sources=[(name, _signed(value)) for name, value in why.sources.items() if abs(value) >= SEEN],
        carried_how=HOW[why.history_is == "exact"],
        kinds=[kind for kind in KINDS if any(abs(getattr(one, kind)) >= SEEN for one in shown)],
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
        "image": thumbnail(one.image),
        "identity": one.identity,
        "content": one.content,
        "value": _signed(one.contribution),
    }


def _signed(value: float) -> str:
    return signed(value).replace("-", "−")
