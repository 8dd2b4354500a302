"""The text of what is written in HTML, as shops and feeds keep their descriptions."""

import re
from collections.abc import Mapping
from html import unescape

import polars as pl

ROUNDS = 4
"""How often a text is read again in which escaped HTML came to light (``&amp;lt;b&amp;gt;``)."""
MAYBE = r"<[A-Za-z/!]|&#?[A-Za-z0-9]+;"
"""What a text without HTML does not hold."""
UNSEEN = frozenset({"script", "style", "template", "title"})
"""Elements whose content is no text of the page."""
_NAMES = re.compile(r"\w+")
INLINE = frozenset(
    _NAMES.findall(
        "a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark nobr q s samp small span "
        "strike strong sub sup time tt u var wbr"
    )
)
"""Elements that stand within a word or a sentence."""
BLOCK = UNSEEN | frozenset(
    _NAMES.findall(
        "address area article aside audio base blockquote body br button canvas caption center col colgroup dd details "
        "dialog dir div dl dt embed fieldset figcaption figure footer form frame frameset h1 h2 h3 h4 h5 h6 head "
        "header hgroup hr html iframe img input legend li link main map menu meta meter nav noscript object ol "
        "optgroup option output p param picture pre progress section select source summary svg table tbody td textarea "
        "tfoot th thead tr track ul video"
    )
)
"""Elements around which a reader sees a gap."""
_MARKUP = re.compile(
    r"""<!--|<[!?][^<>]*>|<(?P<end>/?)(?P<name>[A-Za-z][A-Za-z0-9]*)"""
    r"""(?:>|[\s/](?:[^<>"']|"[^"<]*"|'[^'<]*')*>|[\s/][^<>]*>)"""
)
"""The start of a comment, a declaration or a tag. No match runs beyond the next ``<``: the time is linear."""


_TEXTS, _WITHOUT = "texts", "without HTML"


def text_source(taken_out: bool) -> dict[str, str]:
    """What goes into ``source`` of a data set, so that the texts of new items are read like those of its own."""
    return {_TEXTS: _WITHOUT} if taken_out else {}


def takes_html_out(source: Mapping[str, str]) -> bool:
    """Whether HTML was taken out of the texts of a data set, going by its ``source``."""
    return source.get(_TEXTS) == _WITHOUT


def without_html(text: str) -> str:
    """The text of a piece of HTML on one line: tags and comments taken out, entities written as what they stand for.

    Blocks and line breaks become a space, what scripts and styles hold goes. What is no element of HTML stays:
    ``a < b``, ``<3``, ``<Artist>``. HTML that was escaped once more is read too.

    Example:
        >>> without_html("<p>Tom &amp; Jerry<br>3 &lt; 5 <b>bold</b>er</p><style>p {}</style>")
        'Tom & Jerry 3 < 5 bolder'
        >>> without_html("&lt;li&gt;Blocks&lt;/li&gt; by &lt;Artist&gt; <3")
        'Blocks by <Artist> <3'
    """
    for _ in range(ROUNDS):
        if not re.search(MAYBE, text):
            break
        found = " ".join(unescape(_without_tags(text)).split())
        if found == text:
            break
        text = found
    return text


def column_without_html(texts: pl.Series) -> tuple[pl.Series, int]:
    """A column of texts without HTML, and how many of them changed; a text of tags alone is null.

    Example:
        >>> column_without_html(pl.Series("text", ["<b>A</b> mug", "A pen", "<br>", None]))[0].to_list()
        ['A mug', 'A pen', None, None]
    """
    marked = texts.str.contains(MAYBE).fill_null(False)
    if not marked.any():
        return texts, 0
    places = marked.arg_true()
    read = pl.Series([without_html(text) or None for text in texts.gather(places)], dtype=pl.String)
    changed = read.ne_missing(texts.gather(places))
    return texts.scatter(places, read), int(changed.sum())


def _without_tags(text: str) -> str:
    """The text between tags, with entities as they are."""
    parts, at = [], 0
    missing: set[str] = set()  # what ends nowhere after here is looked for once

    def after(mark: str, start: int) -> int:
        found = None if mark in missing else re.compile(mark, re.IGNORECASE).search(text, start)
        if found is None:
            missing.add(mark)
        return -1 if found is None else found.start()

    while (tag := _MARKUP.search(text, at)) is not None:
        parts.append(text[at : tag.start()])
        at, name = tag.end(), (tag["name"] or "").lower()
        if tag[0] == "<!--":
            end = after("-->", at)
            parts.append(tag[0] if end < 0 else "")
            at = at if end < 0 else end + len("-->")
        elif name in UNSEEN and not tag["end"]:
            end = after(f"</{name}", at)
            parts.append(" ")
            at = at if end < 0 else end
        elif name in BLOCK:
            parts.append(" ")
        elif name and name not in INLINE:
            parts.append(tag[0])
    return "".join([*parts, text[at:]])
