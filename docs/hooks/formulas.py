r"""Formulas as MathML: an MkDocs hook.

``pymdownx.arithmatex`` leaves formulas as ``\(…\)`` and ``\[…\]`` for a script that browsers would have to fetch.
Browsers draw MathML without one, also without a network, and a formula that is wrong fails the build.
"""

import re
import unicodedata
from html import unescape
from typing import Any

from latex2mathml.converter import convert

FORMULA = re.compile(r'<(?P<tag>span|div) class="arithmatex">\s*\\[(\[](?P<latex>.*?)\\[)\]]\s*</(?P=tag)>', re.DOTALL)
STYLED = re.compile(r'<(?P<tag>m[in]) mathvariant="(?P<style>script|bold)">(?P<text>\w)</(?P=tag)>')
STYLES = {"script": "SCRIPT", "bold": "BOLD"}


def on_page_content(html: str, **kwargs: Any) -> str:
    """Replace every formula of a page."""
    return FORMULA.sub(_formula, html)


def _formula(match: re.Match[str]) -> str:
    block = match["tag"] == "div"
    mathml = to_mathml(unescape(match["latex"]), block)
    return f'<div class="formula">{mathml}</div>' if block else mathml  # a formula itself cannot be scrolled


def to_mathml(latex: str, block: bool = False) -> str:
    r"""Convert a formula.

    Raises:
        ValueError: it holds a command that is not known, such as ``\foo``.
    """
    mathml = STYLED.sub(_letter, convert(latex, display="block" if block else "inline"))
    if "\\" in mathml or "<mi>&</mi>" in mathml:
        raise ValueError(f"formula cannot be converted to MathML (got '{latex}')")
    return mathml


def _letter(match: re.Match[str]) -> str:
    """MathML in browsers knows no ``mathvariant``: script and bold letters are characters of their own."""
    kind = unicodedata.name(match["text"]).removeprefix("LATIN ").replace(" LETTER", "")
    style = STYLES[match["style"]]
    for name in (f"MATHEMATICAL {style} {kind}", f"{style} {kind}"):
        try:
            return f"<mi>{unicodedata.lookup(name)}</mi>"
        except KeyError:
            continue
    return f"<mi>{match['text']}</mi>"
