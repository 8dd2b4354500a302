"""What a run measures, and what chooses its epoch."""

import json

import pytest

from alignrec_geo import fit, make_catalogue
from alignrec_geo.errors import InputError
from alignrec_geo.evaluation.metrics import CatalogueMetric, Metric
from alignrec_geo.models import BPRMF
from alignrec_geo.training import TrainingConfig


@pytest.fixture(scope="module")
def data():
    return make_catalogue(n_users=60, n_items=40, image_size=16)


def test_any_metric_of_quality_chooses_the_epoch_and_any_is_tested(data, tmp_path):
    settings = {"epochs": 3, "metric": "mrr@7", "metrics": ["coverage", "diversity@10"], "tensorboard": False}
    result = fit(BPRMF.from_dataset(data, config={"dim": 4}), config=settings, out=tmp_path / "run")
    epochs = [json.loads(line)["validation"] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [epoch["mrr@7"] for epoch in epochs].index(max(epoch["mrr@7"] for epoch in epochs)) == result.best_epoch
    assert list(epochs[0])[:2] == ["recall@5", "recall@10"]
    names = {name.partition("@")[0] for name in result.metrics}
    assert names == {"recall", "ndcg", "coverage", "diversity"}
    assert json.loads((tmp_path / "run" / "result.json").read_text())["metrics"] == result.metrics


def test_metrics_that_have_no_name_in_the_registry(data):
    mine = [Metric("first", lambda ranking, k: ranking.hits[:, 0].double(), cutoffs=(1,)), CatalogueMetric("sum", sum)]
    result = fit(BPRMF.from_dataset(data, config={"dim": 4}), config={"epochs": 1}, metrics=mine)
    assert result.metrics["first@1"] == result.metrics["recall@5"] or 0 <= result.metrics["first@1"] <= 1
    assert result.metrics["sum@5"] == 5 * len(result.test.users)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"metric": "recall"}, r"metric: a metric at a cutoff is needed, such as 'recall@5' \(got 'recall'\)"),
        ({"metric": "gini@20"}, r"metric: the higher 'gini' the worse.*\(got 'gini@20'\)"),
        ({"metric": "rekall@20"}, r"metric: unknown metric \(got 'rekall'\); there are: recall, "),
        ({"metrics": ["auc"]}, r"metrics: unknown metric \(got 'auc'\)"),
    ],
)
def test_what_is_no_metric(settings, message):
    with pytest.raises(InputError, match=message):
        TrainingConfig(**settings)


def test_content_that_is_not_there_is_missed_before_training(data, tmp_path):
    bare = type(data)(data.name, data.interactions, data.users, data.items)
    with pytest.raises(InputError, match="metric 'diversity' compares items by their features; data set 'catalogue'"):
        fit(BPRMF.from_dataset(bare), config={"metrics": ["diversity"]}, out=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []
