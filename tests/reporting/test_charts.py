"""A chart is small, named, and has no colour of its own."""

import re
from xml.etree import ElementTree

import pytest

from alignrec_geo.reporting.charts import Chart, plain_numbers
from alignrec_geo.reporting.look import ACCENT, DARK, LIGHT, colour, series


def draw(axes):
    axes.plot([1, 2, 3], [0.12345, 0.2, 0.3], color=colour(ACCENT))
    axes.plot([1, 2], [0.1, 0.2], "o", color=series(3))
    axes.set_xlabel("time")


def test_svg_and_png():
    chart = Chart("A <b> & c", "says \x1b[2J", draw)
    inline, file = chart.inline(), chart.file()
    for text in (inline, file):
        root = ElementTree.fromstring(text)
        assert root[0].text == "A <b> & c"
        assert root[1].text == "says \\x1b[2J"
        assert "time" in "".join(root.itertext())
    assert "var(--accent)" in inline
    assert "var(--series-4)" in inline
    assert not re.search(r"#[0-9a-f]{6}", inline)  # else it would not follow the page
    assert not re.search(r'(?: [xy]|d|points)="[^"]*\d\.\d{3}', inline)
    assert "DejaVu" not in inline
    assert ">0.125<" in inline  # numbers on the axes are not rounded with the coordinates
    assert chart.inline() == Chart("A <b> & c", "says \x1b[2J", draw).inline()
    assert 'width="340"' in chart.inline(narrow=True)
    assert chart.png().startswith(b"\x89PNG")
    assert set(LIGHT) == set(DARK)


def test_a_title_is_text_in_the_page():
    assert "<h3>A &lt;b&gt;</h3>" in Chart("A <b>", "x", draw).html()


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (3, 900, ["10", "30", "100", "300"]),
        (10, 50, ["10", "20", "50"]),
        (0.02, 3, ["0.1", "0.3", "1", "3"]),
        (21, 48, ["30", "40"]),
        (1, 2_000_000, ["1", "100", "10,000", "1,000,000"]),
    ],
)
def test_logarithmic_axes_have_plain_numbers(low, high, shown):
    def scaled(axes):
        axes.set_xscale("log")
        axes.set_xlim(low, high)
        plain_numbers(axes.xaxis, low, high)

    figure = Chart("x", "x", scaled).figure()
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert set(shown) <= set(labels)
    assert 2 <= len(labels) <= 7
    assert not any("^" in text or "e" in text for text in labels)
