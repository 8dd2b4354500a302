"""One headless Chromium for all tests of pages, and where their screenshots are kept."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.checks import Visit
from tests.conftest import whole_pages as quick_pages

__all__ = ["quick_pages"]

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
SCREENSHOTS = "ALIGNREC_SCREENSHOTS"
"""Environment variable: the folder where screenshots are kept; without it they go to the test's temporary folder."""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser; the test is skipped where there is none, or no Playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    program = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"no Chromium on this machine ({', '.join(PROGRAMS)}); apt-get install chromium")
    with playwright.sync_playwright() as driver:
        # the container of a test is the sandbox; /dev/shm is small there
        arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        browser = driver.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def windows(chromium: Any) -> dict[bool, list[Any]]:
    """Windows that are free, of a person who prefers dark pages and of one who does not: opening one takes long."""
    return {False: [], True: []}


@pytest.fixture
def visit(
    chromium: Any, windows: dict[bool, list[Any]], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Visit]]:
    """Open a page: ``visit(path_or_url, width=390, dark=True)``; see :class:`tests.browser.checks.Visit`."""
    folder = Path(os.environ.get(SCREENSHOTS) or tmp_path / "screenshots")
    opened: list[Visit] = []

    def open_page(target: Path | str, width: int = 1400, dark: bool = False, name: str | None = None) -> Visit:
        if not windows[dark]:
            scheme = "dark" if dark else "light"
            windows[dark].append(chromium.new_page(color_scheme=scheme, reduced_motion="reduce"))
        opened.append(Visit(windows[dark].pop(), target, width, dark, folder, name or request.node.name))
        return opened[-1]

    yield open_page
    for one in opened:
        one.close()
        windows[one.dark].append(one.page)
