"""What reports say in sentences."""

import json

import pytest

from alignrec_geo.reporting import comparison_charts as charts
from alignrec_geo.reporting import write_report
from alignrec_geo.reporting.rows import summarise
from alignrec_geo.reporting.tables import markdown
from alignrec_geo.reporting.verdict import story, verdict
from tests.reporting.hand_made import STORED, compared, model, run

COMPARED = [
    path
    for path in sorted(STORED.glob("*.json"))
    if (stored := json.loads(path.read_text(encoding="utf-8"))).get("significance") is not None
    and len(stored["models"]) > 1
]


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


@pytest.mark.parametrize("path", COMPARED, ids=[path.stem for path in COMPARED])
def test_stored_comparisons_have_a_story(path):
    results = json.loads(path.read_text(encoding="utf-8"))
    told = story(results, summarise(results))
    assert 2 <= len(told) <= 3
    assert max(len(sentence) for sentence in told) < 330
