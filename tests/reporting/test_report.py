"""A comparison made by hand, written as a report."""

import csv
import json
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from alignrec_geo.comparison.table import ComparisonResults
from alignrec_geo.reporting import write_report
from alignrec_geo.reporting.rows import summarise
from alignrec_geo.reporting.tables import cells, latex, markdown
from tests.reporting.hand_made import NASTY, STORED, model, run


def test_rows_are_sorted_and_say_what_they_rest_on(results):
    rows = {row.model: row for row in summarise(results)}
    assert list(rows) == ["popularity", "mgcn", "alignrec", "vbpr", "bpr", "grcn"]
    assert rows["alignrec"].means["recall@20"] == pytest.approx(0.11)
    assert rows["alignrec"].spreads["recall@20"] == pytest.approx(0.0141421, rel=1e-4)
    assert rows["vbpr"].seeds == "1 of 2, 1 failed"
    assert cells(rows["grcn"])[1:5] == ["failed"] * 4
    assert cells(rows["bpr"])[5] == "+0.0600*"
    assert cells(rows["vbpr"])[5] == "+0.0200"


def test_further_metrics_get_a_column_each(results, tmp_path):
    for model_ in results["models"]:
        for run_ in model_["runs"]:
            if run_["metrics"]:
                run_["metrics"] |= {"precision@20": 0.1, "coverage@5": 0.5, "coverage@20": 0.75, "mine@7": 2.0}
    rows = summarise(results)
    head, _, first = markdown(rows, results["reference"]).splitlines()[:3]
    assert head.startswith("| model | R@10 | R@20 | N@10 | N@20 | coverage@20 | mine@7 | AlignRec − model |")
    assert "0.7500" in first
    assert "coverage@20" in latex(rows, results["reference"])
    write_report(results, tmp_path)
    assert '<th scope="col" class="more">mine@7</th>' in (tmp_path / "report.html").read_text()
    assert next(csv.DictReader((tmp_path / "table.csv").open()))["mine@7"] == "2.0"
    shown = ComparisonResults(results)
    assert "<th>coverage@20</th>" in shown._repr_html_()
    assert "<script>" not in shown._repr_html_()
    frame = shown.to_frame()
    assert frame["model"].to_list() == [row.model for row in rows]
    assert frame["coverage@20"].to_list()[0] == 0.75
    assert frame["recall@20"].to_list()[-1] is None
    assert len(shown.to_pandas()) == frame.height


def test_markdown_and_latex_mark_the_best_of_all_models(results):
    text = markdown(summarise(results), results["reference"])
    assert "**0.2000**" in text  # popularity: nothing that is worse may stand out
    assert "_0.1300 ± 0.0000_" in text
    lines = [line.split(" | ")[0].lstrip("| ") for line in text.splitlines() if line.startswith("| ")]
    assert lines[-1] == "popularity"  # non-learned baselines stand below
    tex = latex(summarise(results), results["reference"])
    assert r"\textbf{0.2000}" in tex
    assert r"\underline{0.1300 $\pm$ 0.0000}" in tex
    assert tex.count(r"\midrule") == 2


def test_equal_values_share_the_mark_and_one_model_gets_none(results):
    tied = {
        **results,
        "models": [model("bpr", run(1, 0.10)), model("vbpr", run(1, 0.10001)), model("mgcn", run(1, 0.09))],
    }
    text = markdown(summarise(tied), tied["reference"])
    assert text.count("**0.1000**") == 2
    assert "_" not in text.partition("mgcn")[2].splitlines()[0]
    alone = {**results, "models": [model("bpr", run(1, 0.10))]}
    assert "**" not in markdown(summarise(alone), alone["reference"])


def test_names_are_no_markup_in_any_format(results, tmp_path):
    name = "alignrec+my_pkg.Conv^2 $x$ <b> \x1b[2J"
    own = {**results, "models": [model(name, run(1, 0.1)), model("bpr", run(1, 0.2))]}
    rows = summarise(own)
    assert r"alignrec+my\_pkg.Conv^2 $x$ \<b\> \\x1b\[2J" in markdown(rows, results["reference"])
    assert r"my\_pkg.Conv\textasciicircum{}2 \$x\$" in latex(rows, results["reference"])
    write_report(own, tmp_path)
    text = (tmp_path / "report.html").read_text()
    assert "\x1b" not in text
    assert "&lt;b&gt;" in text
    assert "<b>" not in text


class Page(HTMLParser):
    VOID = {"meta", "br", "link", "hr", "img", "input"}

    def __init__(self):
        super().__init__()
        self.open, self.names, self.addresses, self.text = [], [], [], ""

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "action") and value]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in ("src", "href") and value]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_files_and_a_self_contained_page(results, tmp_path):
    write_report(results, tmp_path)
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        f"{name}.{kind}" for name in ("recall", "ndcg", "cost", "items-1") for kind in ("svg", "png")
    }
    figure = (tmp_path / "figures" / "cost.svg").read_text()
    assert "prefers-color-scheme: dark" in figure
    ElementTree.fromstring(figure)
    with (tmp_path / "table.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert float(next(row for row in rows if row["model"] == "bpr")["recall@20"]) == 0.05
    text = (tmp_path / "report.html").read_text()
    page = Page()
    page.feed(text)
    assert page.open == []
    assert "script" not in page.names
    assert all(address.startswith("#") for address in page.addresses)
    assert NASTY in page.text  # shown as text
    assert "out of memory" in page.text
    # quality twice and cost, each in two forms, and a panel of users and of items; nobody has two trials
    assert page.names.count("svg") == 2 * 4 + 2
    assert text.count("var(--accent)") > 10
    assert "#c2410c" not in text.partition("</style>")[2]  # no colour that would stay light on a dark page
    assert "(+100.0 %)" not in text
    assert page.text.count("–") > 4  # the reference has no difference, popularity no seconds
    assert "p < .001" not in page.text
    assert "p = .001" in page.text


def test_without_any_finished_run(results, tmp_path):
    empty = {**results, "models": [model("alignrec")], "significance": []}
    write_report(empty, tmp_path)
    assert "No finished run" in (tmp_path / "report.html").read_text()


def test_a_comparison_of_an_earlier_release_has_a_report(tmp_path):
    write_report(json.loads((STORED / "tiktok-seeds.json").read_text(encoding="utf-8")), tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "2 models on tiktok" in text
    assert "AMD EPYC" in text  # it names several machines
    assert "Validation by epoch" not in text  # its runs have no curves
