import json

import pytest
import torch
from quality import content_bound

from alignrec_geo.dataset import Dataset, make_catalogue


@pytest.fixture(scope="module")
def rows():
    return torch.randn(400, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.fixture(autouse=True)
def few_waves(monkeypatch):
    monkeypatch.setattr(content_bound, "WAVES", 64)


def everything(rows):
    return torch.ones(len(rows), dtype=torch.float64)


def test_what_content_says_is_found(rows):
    y = rows @ torch.randn(12, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    tried, predicted = content_bound.best_regression(rows, y, everything(rows), seed=0)
    assert content_bound.explained(predicted, y, everything(rows)) > 0.99
    assert max(tried, key=lambda one: one["explained"])["kernel_width"] is None  # it is linear


def test_curved_relations_need_the_kernel(rows):
    y = (2 * rows[:, :1]).sin() * rows[:, 1:2].abs()
    tried, predicted = content_bound.best_regression(rows[:, :2], y, everything(rows), seed=0)
    linear = max(one["explained"] for one in tried if one["kernel_width"] is None)
    assert content_bound.explained(predicted, y, everything(rows)) > 2 * max(linear, 0.1)


def test_no_item_is_predicted_from_itself(rows):
    y = torch.randn(400, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    _, predicted = content_bound.best_regression(rows, y, everything(rows), seed=0)
    assert content_bound.explained(predicted, y, everything(rows)) < 0.02


def test_items_without_pairs_are_predicted_and_do_not_count(rows):
    y = rows[:, :3].clone()
    weight = everything(rows)
    y[:40], weight[:40] = 50.0, 0.0
    _, predicted = content_bound.best_regression(rows, y, weight, seed=0)
    assert content_bound.explained(predicted[:40], rows[:40, :3], everything(rows[:40])) > 0.95
    assert content_bound.explained(predicted, y, weight) > 0.99


def test_the_matrices_are_stored_with_the_result(tmp_path, capsys):
    data = make_catalogue(n_users=400, n_items=120, image_size=16).save(tmp_path / "shop")
    content_bound.main(data.path, "image,text", dim=8, name="shop-bound", results=tmp_path)
    result = json.loads((tmp_path / "shop-bound.json").read_text())
    assert result["explained"] == pytest.approx(max(one["explained"] for one in result["tried"]), abs=1e-5)
    assert result["explained"] > 0.3  # the users of the catalogue choose by what its items show and say
    data = Dataset.open(tmp_path / "shop")
    assert data.features("supervised").matrix.shape == (120, 8)
    assert data.features("noise").width == data.features("image").width + data.features("text").width
    both = data.features("image").present & data.features("text").present
    assert (data.features("noise").present == both).all()
    assert json.loads(capsys.readouterr().out)["explained"] == result["explained"]
