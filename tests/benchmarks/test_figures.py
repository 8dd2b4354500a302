"""What the documentation shows is what the project's code makes of the stored results.

Every figure is drawn in both forms: 6 s of CPU.
"""

import json
import re
from xml.etree import ElementTree

import pytest
from harness.machine import RESULTS
from pages import home_page, performance_page, results_page
from pages.boxes import Box, Sheet
from pages.figures import FIGURES, IMAGES, figures
from pages.markdown import between_marks, read, table

from alignrec_geo import make_catalogue

pytestmark = pytest.mark.usefixtures("whole_reports")

DOCS = IMAGES.parent
STALE = "run: python benchmarks figures; python benchmarks performance_page; python benchmarks results_page"


@pytest.fixture(scope="module")
def results():
    return read(RESULTS)


def test_every_figure_is_there_and_nothing_else(results):
    drawn = {f"{name}{suffix}.svg" for name in FIGURES for suffix in ("", "-narrow")}
    assert {file.name for file in IMAGES.glob("*.svg")} == drawn
    assert [name for name, _ in figures(results)] == list(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_what_the_code_makes(results, name):
    drawing = FIGURES[name].draw(results)
    for suffix, narrow in (("", False), ("-narrow", True)):
        stored = (IMAGES / f"{name}{suffix}.svg").read_text(encoding="utf-8")
        assert stored == drawing.file(narrow) + "\n", STALE
        svg = ElementTree.fromstring(stored)
        assert int(svg.attrib["width"]) <= (350 if narrow else 900)
        assert not re.search(r'(fill|stroke)(: |=")#', stored)  # every colour follows the paper
    assert f"(images/{name}.svg)" in (DOCS / f"{FIGURES[name].page}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [performance_page, results_page])
def test_pages_are_what_the_code_makes(results, page):
    name = {performance_page: "performance.md", results_page: "results.md"}[page]
    assert (DOCS / name).read_text(encoding="utf-8") == page.render(results, page.NOTES.read_text("utf-8")), STALE


def test_the_first_page_shows_the_items_of_the_stored_quickstart(results):
    stored, page = results["quickstart"], (DOCS / "index.md").read_text(encoding="utf-8")
    assert page == between_marks(page, home_page.BEGIN, home_page.render(stored), "index.md")
    catalogue = make_catalogue(seed=0)
    titles = dict(zip(catalogue.items["id"], catalogue.items["title"], strict=True))
    shown = [*stored["past"], *stored["recommended"]]
    assert {file.stem for file in (IMAGES / "items").iterdir()} == {item["id"] for item in shown}
    assert {item["id"]: item["title"] for item in shown}.items() <= titles.items()
    assert not {item["id"] for item in stored["past"]} & {item["id"] for item in stored["recommended"]}


def test_a_table_tells_numbers_from_words():
    rule = table(
        ["model", "mean", "spread", "note", "none"],
        [
            ["bpr", "**0.12 ± 0.01**", "+0.0156*", "2 seeds that ended early, both of them", "–"],
            ["x", "", "1,234", "", ""],
        ],
    ).splitlines()[1]
    assert rule == "| --- | ---: | ---: | --- | --- |"


def test_an_arrow_ends_at_its_point():
    sheet = Sheet(100, 100)
    sheet.arrow((10, 10), (10, 60))
    line, head = re.findall(r'points="([^"]+)"', sheet.parts[0])
    assert line == "10,10 10,50"
    assert head.split()[0] == "10,60"
    box = sheet.box(Box(0, 0, 40, 20, "a < b", ("line",)))
    assert box.middle == (20, 10)
    assert "a &lt; b" in "".join(sheet.parts)


def test_headlines_name_who_lost(results):
    lines = json.dumps(performance_page.headline_rows(results), ensure_ascii=False)
    assert "implicit" in lines
    assert "0.04×" in lines
