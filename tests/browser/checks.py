"""A page as a person meets it, and what is wrong with it: for reports, the site, and the service's page.

    def test_report(visit, report):
        page = visit(report, width=390, dark=True)
        assert page.faults() == []

:meth:`Visit.faults` names every fault in a sentence: a page wider than its window, text that is cut off, a chart
without a title or axes, labels on top of each other or too small to read, an image that is not shown, text whose
contrast is below 4.5 : 1, an error on the console, a request that failed or left the machine.
"""

import re
from pathlib import Path
from typing import Any

FAULTS = Path(__file__).with_name("faults.js").read_text(encoding="utf-8")
CONTRAST = 4.5
"""Least contrast of text with its background: WCAG 2.2, level AA."""
LOADED = """Promise.all([...document.images].filter((img) => !img.complete).map((img) => new Promise((done) => {
    img.addEventListener("load", done);
    img.addEventListener("error", done);
})))"""
PHONE, DESK = 390, 1400
"""Widths of a window in pixels."""


class Visit:
    """One page in one window; made by the fixture ``visit``.

    Args:
        page: Playwright's, of a person who prefers dark pages, or light ones.
        target: a file, or an address.
        width: of the window in pixels.
        dark: whether the person prefers dark pages.
        screenshots: folder of the pictures.
        name: of the pictures.
    """

    def __init__(self, page: Any, target: Path | str, width: int, dark: bool, screenshots: Path, name: str) -> None:
        self.width, self.dark = width, dark
        self.said: list[str] = []
        called = re.sub(r"[^\w.-]+", "-", name).strip("-")
        self._picture = screenshots / f"{called}-{width}{'-dark' if dark else ''}.png"
        self.page = page
        self._handlers = {
            "console": self._console,
            "pageerror": lambda error: self.said.append(f"error in a script: {error}"),
            "request": self._request,
            "requestfailed": lambda request: self.said.append(f"request failed: {request.url[:80]}"),
        }
        for event, handler in self._handlers.items():
            page.on(event, handler)
        page.set_viewport_size({"width": width, "height": 900})
        address = target.resolve().as_uri() if isinstance(target, Path) else target
        self._home = address.split("/")[2]
        page.goto(address, wait_until="load")

    def faults(self, scrolls: bool | None = None, picture: bool = True) -> list[str]:
        """Everything that is wrong with the page as it is now; a picture of it is kept.

        Args:
            scrolls: whether boxes (wide tables) may be scrolled sideways; by default only in narrow windows.
            picture: whether to keep one, which takes most of the time.
        """
        self._load_images()
        if picture:
            self.screenshot()
        allowed = self.width < 1000 if scrolls is None else scrolls
        return [*self.said, *self.page.evaluate(FAULTS, {"scrolls": allowed, "contrast": CONTRAST})]

    def screenshot(self) -> Path:
        """Keep a picture of the whole page."""
        self._picture.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=self._picture, full_page=True)
        return self._picture

    def _load_images(self) -> None:
        """Load what would be loaded when it is scrolled to."""
        self.page.evaluate("document.querySelectorAll('img[loading=lazy]').forEach((img) => (img.loading = 'eager'))")
        # not wait_for_function: it evaluates text in the page, which a page's own policy (CSP) may forbid
        self.page.evaluate(LOADED)

    def close(self) -> None:
        """Leave the page; the window can be used again."""
        for event, handler in self._handlers.items():
            self.page.remove_listener(event, handler)
        self.page.emulate_media(media="screen")
        self.page.goto("about:blank")

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.said.append(f"console {message.type}: {message.text[:120]}")

    def _request(self, request: Any) -> None:
        if not request.url.startswith(("data:", "blob:", "about:")) and request.url.split("/")[2] != self._home:
            self.said.append(f"request to another place: {request.url[:80]}")
