"""Figures of the site: an MkDocs hook.

A page names a figure as any image, ``![Recall@20 on TikTok](images/tiktok-quality.svg)``. On the site its SVG stands in
the page, so that it follows the page's colours; a phone gets the narrow form, ``NAME-narrow.svg``.
"""

import re
from html import escape, unescape
from pathlib import Path
from typing import Any

from alignrec_geo.reporting.look import DARK, LIGHT, PAPER, variables

IMAGE = re.compile(r'<p><img alt="(?P<alt>[^"]*)" src="(?:\.\./)*images/(?P<name>[\w-]+)\.svg" ?/?></p>')
FILE_ONLY = re.compile(r"<style>.*?</style><rect [^>]*/>", re.DOTALL)
"""What only a file of its own needs: the colours and the paper."""


def on_page_content(html: str, config: Any, **kwargs: Any) -> str:
    """Put the figures into a page."""
    return with_figures(html, Path(config["docs_dir"]) / "images")


def with_figures(html: str, images: Path) -> str:
    """Replace every image of a figure by its two forms and a caption."""

    def figure(match: re.Match[str]) -> str:
        file = images / f"{match['name']}.svg"
        forms = {"wide": file, "narrow": file.with_name(f"{file.stem}-narrow.svg")}
        shown = "".join(f'<div class="{form}">{_inline(path)}</div>' for form, path in forms.items())
        caption = escape(unescape(match["alt"]))
        return f'<figure class="chart">{shown}<figcaption>{caption}</figcaption></figure>'

    return IMAGE.sub(figure, html)


def _inline(file: Path) -> str:
    return FILE_ONLY.sub("", file.read_text(encoding="utf-8"), count=1).strip()


def on_post_page(output: str, **kwargs: Any) -> str:
    """Declare the colours of figures, in both schemes of the theme."""
    if '<figure class="chart">' not in output:
        return output
    schemes = (("default", LIGHT), ("slate", DARK))
    rules = " ".join(
        f'[data-md-color-scheme="{name}"] {{ {variables(colours)} --{PAPER}: var(--md-default-bg-color); }}'
        for name, colours in schemes
    )
    return output.replace("</head>", f"<style>{rules}</style></head>", 1)
