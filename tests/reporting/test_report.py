"""A hand-made comparison, written as a report."""

import csv
import json
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from alignrec_geo.comparison.table import ComparisonResults
from alignrec_geo.reporting import comparison_charts as charts
from alignrec_geo.reporting import write_report
from alignrec_geo.reporting.rows import summarise
from alignrec_geo.reporting.tables import cells, latex, markdown
from alignrec_geo.reporting.verdict import story, verdict

NASTY = "<script>alert(1)</script>"


def run(seed, recall, error=None):
    if error is not None:
        return {"seed": seed, "error": error, "groups": None, "metrics": None}
    metrics = {"recall@10": recall / 2, "recall@20": recall, "ndcg@10": recall / 4, "ndcg@20": recall / 3}
    groups = {"users": {"1-2": {"recall@20": recall}}, "items": {"head": {"recall@20": recall}, "tail": {}}}
    costs = {"seconds_per_epoch": 1.5, "seconds_to_best": 20.0, "peak_memory_mb": 800.0, "parameters": 1_000_000}
    return {"seed": seed, "error": None, "metrics": metrics, "groups": groups, **costs}


def model(name, *runs, trials=()):
    own = {"parameters": {"dim": 64}, "training": {"lr": 0.001}, "features": [], "class": name, "chosen": {"dim": 64}}
    return {"name": name, "runs": list(runs), "trials": list(trials), **own}


def compared(name, difference, p):
    bounds = {"low": difference - 0.01, "high": difference + 0.01}
    return {"baseline": name, "metric": "recall@20", "difference": difference, "p": p, "p_holm": p, "users": 9} | bounds


@pytest.fixture
def results():
    counts = {"users": 1000, "items": 500, "train": 9000, "validation": 500, "test": 500}
    trial = {"number": 0, "settings": {"dim": 64}, "validation": {"recall@20": 0.1}, "epochs": 3, "error": None}
    lost = {"number": 1, "settings": {"dim": 8}, "validation": None, "epochs": 0, "error": "diverged"}
    return {
        "schema": 1,
        "command": f"alignrec-geo compare {NASTY}",
        "dataset": {"name": NASTY, "fingerprint": "f", **counts},
        "protocol": "clean",
        "features": ["image"],
        "trials": 2,
        "seeds": 2,
        "reference": "alignrec",
        "machine": {"cpu": "x", "cpus": 2},
        "models": [
            model("alignrec", run(1, 0.10), run(2, 0.12), trials=[trial, lost]),
            model("bpr", run(1, 0.05), run(2, 0.05)),
            model("mgcn", run(1, 0.13), run(2, 0.13)),
            model("vbpr", run(1, None, error="out of memory"), run(2, 0.09)),
            model("grcn", run(1, None, error="diverged"), run(2, None, error="diverged")),
            model("popularity", run(1, 0.20)),
        ],
        "significance": [compared("bpr", 0.06, 0.001), compared("mgcn", -0.02, 0.01), compared("vbpr", 0.02, 0.3)],
    }


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


def test_the_story_has_three_sentences(results):
    told = story(results, summarise(results))
    assert told == [
        "Popularity, which is not trained, has the highest Recall@20, 0.2000 (of 5 models, mean of 2 seeds). AlignRec "
        "is 3rd with 0.1100 ± 0.0141.",
        "AlignRec − popularity is −0.0900 (−45.0 %): by the paired test (Holm-corrected p < .05) it is better than "
        "BPR; worse than MGCN; 2 are not tested, for want of a second seed.",
        "AlignRec trains 20 s to its chosen epoch (1.50 s per epoch).",
    ]
    text = verdict(results, summarise(results))
    assert text.startswith(" ".join(told))
    assert "Popularity (0.2000), which is not trained, is better than 4 models." in text
    assert (
        "Without a finished run: GRCN. Fewer seeds than planned: popularity (1 of 2), VBPR (1 of 2, 1 failed)." in text
    )
    nothing = {**results, "models": [model("alignrec"), model("bpr")], "significance": []}
    assert story(nothing, summarise(nothing)) == ["No finished run of AlignRec yet."]


def test_the_story_of_a_reference_that_wins_and_costs_more(results):
    models = [model("alignrec", run(1, 0.2), run(2, 0.2)), model("bpr", run(1, 0.1), run(2, 0.1))]
    own = {**results, "models": models, "significance": [compared("bpr", 0.1, 2e-9)]}
    who, how_much, cost = story(own, summarise(own))
    assert who == "AlignRec has the highest Recall@20, 0.2000 ± 0.0000 (of 2 models, mean of 2 seeds)."
    assert how_much == (
        "AlignRec − BPR is +0.1000 (+100.0 %), p < .001: by the paired test (Holm-corrected p < .05) it is better than "
        "BPR."
    )
    assert cost.count("trains 20 s") == 2
    many = [model(f"m{n}", run(1, 0.1 - n / 1000), run(2, 0.1)) for n in range(11)]
    tested = [compared(f"m{n}", 0.1, 1e-5) for n in range(11)]
    more = {**own, "models": [*models[:1], *many], "significance": tested}
    assert "it is better than all 11 other models." in story(more, summarise(more))[1]


def test_costs_of_several_devices_are_not_compared(results, tmp_path):
    for model_ in results["models"]:
        for run_ in model_["runs"]:
            run_["gpu"] = "H200" if model_["name"] == "alignrec" else None
    rows = summarise(results)
    assert {row.model: row.devices for row in rows if row.devices} == {
        "alignrec": ("H200",), "mgcn": ("CPU",), "vbpr": ("CPU",), "bpr": ("CPU",),
    }  # fmt: skip
    assert "to its chosen epoch" not in " ".join(story({**results, "reference": "mgcn"}, rows[1:]))
    assert "Trained on CPU and H200: seconds and memory do not compare." in verdict(results, rows)
    assert charts.cost(rows, "alignrec") is None
    assert charts.cost([row for row in rows if row.devices == ("CPU",)], "mgcn") is not None
    write_report(results, tmp_path)
    assert "Trained on CPU and H200" in (tmp_path / "report.html").read_text()
    for model_ in results["models"]:
        for run_ in model_["runs"]:
            run_["gpu"] = "H200"
    assert "Trained on" not in verdict(results, summarise(results))


def test_the_story_of_one_seed_claims_nothing(results, tmp_path):
    models = [model("popularity", run(1, 0.2)), model("bpr", run(1, 0.1))]
    own = {
        **results,
        "models": models,
        "seeds": 1,
        "reference": "bpr",
        "significance": [compared("popularity", -0.1, 0.0)],
    }
    text = verdict(own, summarise(own))
    assert text == (
        "Popularity, which is not trained, has the highest Recall@20, 0.2000 (of 2 models, one seed each). BPR is 2nd "
        "with 0.1000. BPR − popularity is −0.1000 (−50.0 %). No difference is called significant: that takes two "
        "finished seeds of both models. BPR trains 20 s to its chosen epoch (1.50 s per epoch). Popularity (0.2000), "
        "which is not trained, is better than BPR."
    )
    assert "-0.1000*" not in markdown(summarise(own), own["reference"])
    write_report(own, tmp_path)
    text = (tmp_path / "report.html").read_text()
    assert "Nothing is tested" in text
    assert not (tmp_path / "figures" / "cost.svg").exists()  # one trained model would be a chart of one dot
    assert "Quality against" not in text
    first = {**own, "reference": "popularity"}
    assert story(first, summarise(first))[0].startswith(
        "Popularity, which is not trained, has the highest Recall@20, 0.2000 (of 2 models"
    )


def test_the_story_of_ties_and_of_one_model(results):
    tied = {**results, "models": [model("alignrec", run(1, 0.1)), model("bpr", run(1, 0.1))], "significance": []}
    assert "AlignRec and BPR share the highest Recall@20, 0.1000" in verdict(tied, summarise(tied))
    alone = {**results, "models": [model("alignrec", run(1, 0.1))], "significance": []}
    assert "no other model has a finished run" in verdict(alone, summarise(alone))


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


STORED = Path(__file__).parents[2] / "benchmarks" / "results"
COMPARED = [
    path
    for path in sorted(STORED.glob("*.json"))
    if (stored := json.loads(path.read_text(encoding="utf-8"))).get("significance") is not None
    and len(stored["models"]) > 1
]


@pytest.mark.parametrize("path", COMPARED, ids=[path.stem for path in COMPARED])
def test_stored_comparisons_have_a_story(path):
    results = json.loads(path.read_text(encoding="utf-8"))
    told = story(results, summarise(results))
    assert 2 <= len(told) <= 3
    assert max(len(sentence) for sentence in told) < 330


def test_a_comparison_of_an_earlier_release_has_a_report(tmp_path):
    write_report(json.loads((STORED / "tiktok-seeds.json").read_text(encoding="utf-8")), tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "2 models on tiktok" in text
    assert "AMD EPYC" in text  # it names several machines
    assert "Validation by epoch" not in text  # its runs have no curves
