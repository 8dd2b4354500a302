"""Every fault is found, and a page without faults has none."""

import pytest

pytestmark = pytest.mark.slow  # a real browser

GOOD = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Good</title><style>:root {{ color-scheme: light dark }} body {{ font: 16px sans-serif }} {style}</style></head>
<body><p>Some words.</p>{body}</body></html>"""
CHART = '<svg role="img" width="200" height="100"><title>A chart</title><g class="axis">{}</g></svg>'
TICKS = '<text x="10" y="90">0</text><text x="150" y="90">1</text>'


@pytest.fixture
def faults(visit, tmp_path):
    def of(body="", style="", width=1400, dark=False):
        file = tmp_path / "page.html"
        file.write_text(GOOD.format(body=body, style=style), encoding="utf-8")
        return visit(file, width, dark).faults(picture=False)

    return of


@pytest.mark.parametrize("dark", [False, True])
def test_a_good_page_has_no_faults(faults, dark):
    assert faults(CHART.format(TICKS) if not dark else "", dark=dark) == []


@pytest.mark.parametrize(
    ("body", "style", "said"),
    [
        ('<div style="width: 3000px">wide</div>', "", "the page is"),
        ("<p class=a>many words that have no room</p>", ".a{width:50px;white-space:nowrap;overflow:hidden}", "cut off"),
        ("<p class=a>one<br>two<br>three</p>", ".a{height:20px;overflow:hidden}", "cut off below"),
        ("<p class=a>many words that have no room</p>", ".a{width:50px;white-space:nowrap;overflow:auto}", "scrolled"),
        ("<p class=a>pale</p>", ".a{color:#999}", "contrast 2.8"),
        ("<p class=a>pale</p>", ".a{opacity:.4}", "contrast"),
        ('<img alt="" src="data:image/png;base64,AAAA">', "", "an image is not shown"),
        (CHART.format(""), "", "has no axes"),
        (CHART.replace("A chart", "").format(TICKS), "", "a chart has no title"),
        (CHART.format('<text x="10" y="90">long</text><text x="14" y="90">text</text>'), "", "lies on"),
        (CHART.format('<text x="190" y="90">outside</text><text x="0" y="90">0</text>'), "", "is cut off"),
        (CHART.format(TICKS), "svg text{font-size:6px}", "6.0 px high"),
        ("<script>console.error('oh')</script>", "", "console error: oh"),
        ("<script>nothing()</script>", "", "error in a script"),
        ('<img alt="" src="http://127.0.0.1:9/a.png">', "", "request to another place"),
    ],
)  # fmt: skip
def test_every_fault_is_found(faults, body, style, said):
    found = faults(body, style)
    assert any(said in fault for fault in found), found


def test_a_drawer_that_is_not_pulled_out_is_not_looked_at(faults):
    body = "<p class=a>pale words that have no room</p>"
    style = ".a{position:fixed;left:%s;width:50px;white-space:nowrap;overflow:hidden;color:#999}"
    assert faults(body, style % "-60px") == []
    assert faults(body, style % "10px") != []


def test_wide_tables_may_be_scrolled_on_a_phone_only(faults):
    body, style = "<p class=a>many words that have no room</p>", ".a{width:50px;white-space:nowrap;overflow:auto}"
    assert faults(body, style, width=390) == []
    assert faults(body, style) != []


def test_dark_ink_on_a_dark_page_is_found(faults):
    assert any("contrast" in fault for fault in faults("<p class=a>x</p>", ".a{color:#222}", dark=True))
    assert faults("<p class=a>x</p>", ".a{color:#222}") == []
