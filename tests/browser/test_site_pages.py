"""The documentation site as a person reads it, on a wide screen and on a phone, light and dark."""

import functools
import json
import os
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.browser.checks import DESK, PHONE

pytestmark = pytest.mark.slow  # a real browser, and the site is built: 25 s of CPU

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
BUILT = "ALIGNREC_SITE"
"""Environment variable: the folder of a site that was built already (``make docs``)."""
PAGES = ("index", "concepts", "results", "performance", "api/graph")
VIEWS = [(width, dark) for width in (DESK, PHONE) for dark in (False, True)]


class Quiet(SimpleHTTPRequestHandler):
    """A server of files that says nothing."""

    def log_message(self, format, *args):
        pass


@pytest.fixture(scope="session")
def site(chromium, tmp_path_factory):
    """The address of the site; it is built once."""
    pytest.importorskip("mkdocs", reason="MkDocs is not installed")
    folder = Path(os.environ.get(BUILT) or tmp_path_factory.mktemp("site"))
    if not (folder / "index.html").exists():
        command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
        environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "ALIGNREC_GEO_REPO_URL": ""}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.mark.parametrize("page", PAGES)
def test_pages(visit, site, page):
    for width, dark in VIEWS:
        seen = visit(f"{site}/{page}.html", width, dark, name=f"site-{page}")
        # pictures of long pages take long: one of each width
        assert seen.faults(picture=dark == (width == PHONE)) == [], (width, dark)


def test_the_first_page(visit, site):
    seen = visit(f"{site}/index.html", PHONE)
    shown = seen.page.locator
    assert shown("figure.chart .narrow:visible svg").count() == 2  # the diagram and the chart, as a phone has them
    assert shown("figure.chart .wide:visible").count() == 0
    assert shown(".items img").count() == 12
    assert shown(".doors h3").all_inner_texts() == ["My table¶", "My layer¶", "My benchmark¶"]
    assert shown("footer .md-footer__link--next").inner_text().split() == ["Next", "Quick", "tour"]


def test_copied_commands_have_no_prompt(visit, site):
    seen = visit(f"{site}/serving.html")
    seen.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    block = seen.page.locator(".language-console").first
    block.hover()
    block.locator("button").first.click()
    copied = seen.page.evaluate("navigator.clipboard.readText()")
    assert copied.splitlines() == ["pip install 'alignrec-geo[serve]'", "alignrec-geo serve runs/shop"]
    seen.page.evaluate("window.getSelection().selectAllChildren(document.querySelector('.language-console code'))")
    assert "$" not in seen.page.evaluate("window.getSelection().toString()")


def test_dark_is_a_click_away_and_figures_follow(visit, site):
    seen = visit(f"{site}/performance.html")

    def ink():
        return seen.page.evaluate("getComputedStyle(document.querySelector('.chart .wide text')).fill")

    light = ink()
    seen.page.locator("label[title=Dark]").click()
    assert ink() != light
    assert seen.faults(picture=False) == []


def test_numbers_are_not_broken(visit, site):
    seen = visit(f"{site}/results.html", PHONE)
    rows = seen.page.locator("table").first.locator("tbody tr").all()
    assert len(rows) == len(json.loads((RESULTS / "tiktok-table.json").read_text())["models"])
    assert max(row.bounding_box()["height"] for row in rows) < 45  # one line each
