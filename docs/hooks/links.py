"""Links of the site: an MkDocs hook.

Pages link files of the repository that are not part of the site, such as ``../benchmarks/results/epoch.json``. They
become links to the repository if ``repo_url`` is set, and else their path in the text. When the site is built, every
link between its pages is followed, also those that come from docstrings and do not pass MkDocs' own check.
"""

import logging
import posixpath
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<target>\.\./[^)#\s]+)(?P<anchor>#[^)]*)?\)")
BRANCH = "main"

log = logging.getLogger("mkdocs.hooks.links")


def on_page_markdown(markdown: str, page: Any, config: Any, **kwargs: Any) -> str:
    """Rewrite a page's links that lead out of ``docs/``."""
    return outside_links(markdown, f"docs/{page.file.src_uri}", config["repo_url"] or "")


def outside_links(markdown: str, source: str, repository: str) -> str:
    """Rewrite the links of ``source`` that lead out of ``docs/``.

    Args:
        markdown: the page.
        source: its path in the repository.
        repository: the repository's address; empty if it has none.
    """

    def rewrite(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), match["target"]))
        if path.startswith("docs/"):
            return match[0]
        if repository:
            return f"[{match['text']}]({repository.rstrip('/')}/blob/{BRANCH}/{path}{match['anchor'] or ''})"
        return f"`{path}`" if match["text"].strip("`") in path else f"{match['text']} (`{path}`)"

    return LINK.sub(rewrite, markdown)


def on_post_build(config: Any, **kwargs: Any) -> None:
    """Warn of every link inside the site that leads nowhere; ``--strict`` makes it a failure."""
    for broken in broken_links(Path(config["site_dir"])):
        log.warning(broken)


class _Page(HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what the tag links, and what it can be linked by."""
        for name, value in attrs:
            if value and name in ("href", "src"):
                self.links.add(value)
            elif value and name in ("id", "name"):
                self.anchors.add(value)


def broken_links(site: Path) -> list[str]:
    """Follow the links between the files of a built site; addresses elsewhere are not asked."""
    pages = {path: _Page(path.read_text("utf-8")) for path in sorted(site.rglob("*.html")) if path.name != "404.html"}
    broken = []
    for path, page in pages.items():
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            lost = target in pages and unquote(parts.fragment) not in {"", *pages[target].anchors}
            if lost or not target.exists():
                broken.append(f"{path.relative_to(site)}: link '{link}' leads nowhere")
    return broken
