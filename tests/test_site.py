"""What the documentation site is made by: docstrings to Markdown, formulas to MathML, links that lead somewhere."""

import ast
import importlib
import json
import re
import sys
from pathlib import Path

import pytest
import yaml

from alignrec_geo.models import MODELS

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "docs" / "hooks"))

import docstrings  # noqa: E402
import figures  # noqa: E402
import formulas  # noqa: E402
import links  # noqa: E402
import options  # noqa: E402

RESULTS = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
EMBEDDED = {
    path: page
    for page in sorted((ROOT / "docs" / "api").glob("*.md"))
    for path in re.findall(r"^::: (\S+)$", page.read_text(), flags=re.MULTILINE)
}


def markdown(text: str) -> str:
    return docstrings.to_markdown(text, lambda name: f"full.{name}")


def test_roles_become_references_that_may_fail():
    assert markdown("see :class:`~a.b.C`.") == (
        'see <autoref optional identifier="full.a.b.C"><code>C</code></autoref>.'
    )
    assert markdown(":func:`f`") == '<autoref optional identifier="full.f"><code>f</code></autoref>'


def test_links_and_code_beside_them():
    text = '``x`` of `"Light\n    GCN" <https://arxiv.org/abs/2002.02126>`_ and ``y``'
    assert markdown(text) == '``x`` of ["Light GCN"](https://arxiv.org/abs/2002.02126) and ``y``'


def test_formulas_in_a_line_and_in_a_block():
    text = "With :math:`a\n_b`:\n\n.. math::\n    x &= y \\\\\n      &= z\n\nThe rest."
    assert markdown(text) == (
        "With \\(a _b\\):\n\n\\[\n\\begin{align*} {} x &= y \\\\ &= z \\end{align*}\n\\]\n\nThe rest."
    )
    assert markdown("    .. math:: x = y") == "    \\[\n    x = y\n    \\]"


def test_a_block_of_cases_gets_no_columns_of_its_own():
    assert "align*" not in markdown(".. math::\n    x = \\begin{cases} 1 & a \\\\ 0 & b \\end{cases}")


def test_an_example_is_a_section_of_code():
    assert markdown("Text.\n\nExample:\n    >>> f()") == "Text.\n\nExamples:\n    >>> f()"


def test_names_are_resolved_through_imports():
    import griffe

    package = griffe.load("alignrec_geo", search_paths=[str(ROOT)], extensions=griffe.load_extensions())
    fit = package["training.loop.fit"]
    for name, path in {
        "Recommender": "alignrec_geo.models.base.Recommender",
        "alignrec_geo.models.Recommender": "alignrec_geo.models.base.Recommender",
        "Recommender.encode": "alignrec_geo.models.base.Recommender.encode",
        "torch.compile": "torch.compile",
        "nothing_of_that_name": "nothing_of_that_name",
    }.items():
        assert docstrings.full_path(fit, package, name) == path


def test_mathml():
    page = '<p><span class="arithmatex">\\(a &lt; b\\)</span></p><div class="arithmatex">\\[\n\\mathcal L\n\\]</div>'
    html = formulas.on_page_content(page)
    assert '<math xmlns="http://www.w3.org/1998/Math/MathML" display="inline"><mrow><mi>a</mi>' in html
    assert 'display="block"><mrow><mi>ℒ</mi>' in html
    assert "arithmatex" not in html
    assert "<mi>𝐱</mi>" in formulas.to_mathml(r"\mathbf x")


@pytest.mark.parametrize("latex", [r"\nocommand x", r"\begin{aligned} a & b \end{aligned}"])
def test_a_formula_that_cannot_be_shown_is_an_error(latex):
    with pytest.raises(ValueError, match="formula cannot be converted"):
        formulas.to_mathml(latex)


def test_links_out_of_the_documentation():
    page = "[a.json](../benchmarks/a.json#b), [recipe](../datasets/README.md), [x](../docs/x.md), ![i](../i.svg)"
    assert links.outside_links(page, "docs/page.md", "") == (
        "`benchmarks/a.json`, recipe (`datasets/README.md`), [x](../docs/x.md), ![i](../i.svg)"
    )
    with_address = links.outside_links(page, "docs/page.md", "https://host/us/repo/")
    assert "[a.json](https://host/us/repo/blob/main/benchmarks/a.json#b)" in with_address
    assert links.outside_links("[x](../data.md)", "docs/api/page.md", "https://host") == "[x](../data.md)"


def test_options_are_kept_in_one_piece():
    text = "<p><code>train --out RUN -k 5</code> of <code>content-knn</code>, <code>a/--x</code>--no</p>"
    block = "<pre><code>train --out RUN</code></pre>"
    command = '<div class="language-console highlight"><pre><b>$ </b>geo<b> </b>-x-y<b data-a="-b"> </b></pre></div>'
    kept = '<span class="option">{}</span>'
    assert options.with_options(text + block + command) == (
        f"<p><code>train {kept.format('--out')} RUN {kept.format('-k')} 5</code> of <code>content-knn</code>, "
        f"<code>a/{kept.format('--x')}</code>--no</p>{block}{command.replace('-x-y', kept.format('-x-y'))}"
    )


def test_broken_links_of_a_site(tmp_path):
    (tmp_path / "api").mkdir()
    (tmp_path / "index.html").write_text(
        '<a href="api/a.html#there">, <a href="api/a.html#gone">, <a href="none.html">, <a href="#top" id="top">'
        '<a href="https://elsewhere.org/x">, <img src="none.png">, <a href="mailto:us@host">'
    )
    (tmp_path / "api" / "a.html").write_text('<h1 id="there"></h1><a href="../index.html#top"><a href="..">')
    assert links.broken_links(tmp_path) == [
        f"index.html: link '{link}' leads nowhere" for link in ("api/a.html#gone", "none.html", "none.png")
    ]


@pytest.mark.parametrize("path", EMBEDDED)
def test_embedded_modules_are_there_and_say_what_they_are(path):
    assert path.startswith(f"alignrec_geo.{EMBEDDED[path].stem}") or EMBEDDED[path].stem == "index"
    file = ROOT / (path.replace(".", "/") + ".py")
    file = file if file.exists() else file.parent / file.stem / "__init__.py"
    assert ast.get_docstring(ast.parse(file.read_text()))


def test_what_the_packages_offer_is_in_the_reference():
    offered = {f"{model.__module__}" for model in MODELS.values()}
    for package in ("", *(f".{page.stem}" for page in (ROOT / "docs" / "api").glob("*.md") if page.stem != "index")):
        module = importlib.import_module(f"alignrec_geo{package}")
        for name in getattr(module, "__all__", []):
            offered.add(getattr(getattr(module, name), "__module__", module.__name__))
    assert {path for path in offered if path.startswith("alignrec_geo.")} - set(EMBEDDED) <= {"alignrec_geo.models"}


def test_every_page_is_in_the_navigation():
    def pages(part):
        if isinstance(part, str):
            return {part}
        return set().union(*(pages(inner) for inner in (part.values() if isinstance(part, dict) else part)))

    text = (ROOT / "mkdocs.yml").read_text().replace("!ENV", "")
    found = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert pages(yaml.safe_load(text)["nav"]) == found


@pytest.mark.parametrize("result", RESULTS, ids=lambda path: path.name)
def test_stored_results_are_listed_with_their_command(result):
    page = re.sub(r" \\\n +", " ", (ROOT / "docs" / "reproducing.md").read_text())
    assert f"[{result.name}](../benchmarks/results/{result.name})" in page
    stored = json.loads(result.read_text())["command"]
    for command in re.split("; ", stored) if isinstance(stored, str) else stored:
        command = re.sub(r" --(runs|results|venv) \S+", "", command)  # where the files of one machine went
        command = command.replace("/tmp/w/", "data/").replace("/work/main/", "")
        if re.match(r"(ALIGNREC_BACKEND=\w+ )?(alignrec-geo|python) ", command):
            assert re.search(rf"(^\$ |/){re.escape(command)}$", page, flags=re.MULTILINE), command


def test_a_figure_stands_in_the_page_in_two_forms(tmp_path):
    for name in ("chart", "chart-narrow"):
        head = "<title>T</title><desc>d</desc><style>:root {}</style>"
        (tmp_path / f"{name}.svg").write_text(f'<svg role="img">{head}<rect width="1"/><g id="{name}"/></svg>\n')
    page = '<p><img alt="a &amp; b" src="../images/chart.svg" /></p><p><img alt="" src="images/report.png" /></p>'
    html = figures.with_figures(page, tmp_path)
    svg = '<svg role="img"><title>T</title><desc>d</desc><g id="{}"/></svg>'
    assert html == (
        f'<figure class="chart"><div class="wide">{svg.format("chart")}</div>'
        f'<div class="narrow">{svg.format("chart-narrow")}</div><figcaption>a &amp; b</figcaption></figure>'
        '<p><img alt="" src="images/report.png" /></p>'
    )
    shown = figures.on_post_page(f"<head></head>{html}")
    assert '[data-md-color-scheme="slate"] { --paper: #' in shown
    assert figures.on_post_page("<head></head>") == "<head></head>"


def test_no_diagram_is_drawn_with_characters():
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        assert not re.search(r"[─│┌┐└┘├┤▼►◄]|──>|───", page.read_text("utf-8")), page
