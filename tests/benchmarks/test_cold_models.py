import json

import pytest
import torch
from quality import cold_models

from alignrec_geo.dataset import SplitConfig, make_catalogue
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.files import read_json, write_json


def model(name, chosen, best, features=(), lr=0.001):
    return {
        "name": name,
        "features": list(features),
        "chosen": chosen,
        "training": {"lr": lr},
        "runs": [{"best_epoch": epoch} for epoch in best],
    }


@pytest.fixture
def stored(tmp_path):
    table = [
        model("popularity", {}, [-1, -1]),
        model("content-knn", {"centre": False}, [-1, -1], ["image", "text"]),
        model("alignrec[dim=8]", {"cca_weight": 0.02, "training.lr": 0.003}, [9, 12], ["image", "text"]),
    ]
    write_json(tmp_path / "table.json", {"models": table})
    write_json(tmp_path / "later.json", {"models": [model("content-knn", {}, [-1], ["text"])]})
    return tmp_path


def test_settings_and_epochs_of_a_stored_comparison(stored):
    rows = cold_models.chosen_rows([read_json(stored / "table.json")], None)
    assert list(rows) == ["content-knn", "alignrec[dim=8]"]
    row = rows["alignrec[dim=8]"]
    assert row["epochs"] == 12  # epochs count from 0: the mean of 10 and 13, rounded to even
    given = cold_models.options("alignrec[dim=8]", row, 3)
    assert given[:6] == ["--model", "alignrec", "--features", "image,text", "--seed", "3"]
    assert given[6:] == [
        *("--set", "lr=0.003", "--set", "cca_weight=0.02", "--set", "epochs=12", "--set", "eval_every=12"),
        *("--set", "dim=8"),
    ]
    untrained = cold_models.options("content-knn", rows["content-knn"], 0)
    assert untrained[6:] == ["--set", "lr=0.001", "--set", "centre=false"]
    with pytest.raises(SystemExit, match=r"row 'alignrec\+sage' has a layer"):
        cold_models.options("alignrec+sage", row, 0)


def test_a_later_comparison_replaces_a_row_and_unknown_rows_are_named(stored):
    both = [read_json(stored / "table.json"), read_json(stored / "later.json")]
    assert cold_models.chosen_rows(both, ["content-knn"])["content-knn"]["features"] == ["text"]
    with pytest.raises(
        SystemExit, match=r"not in the stored comparisons: mgcn; there are: alignrec\[dim=8\], content-knn$"
    ):
        cold_models.chosen_rows(both, ["mgcn", "content-knn"])


def test_the_table(stored, monkeypatch, capsys):
    data = make_catalogue(n_users=90, n_items=120, image_size=16).with_split(SplitConfig(rule="cold-items", test=0.2))
    saved = data.save(stored / "cold")

    def trained(dataset, out, options):
        draw = torch.Generator().manual_seed(int(options[5]))
        return Embeddings(torch.randn(90, 8, generator=draw), torch.randn(120, 8, generator=draw))

    monkeypatch.setattr(cold_models, "trained", trained)
    cold_models.main(
        saved.path,
        ["table", "later"],
        "cold-shop",
        features="image,text",
        seeds=2,
        runs=stored / "runs",
        results=stored,
    )
    result = json.loads((stored / "cold-shop.json").read_text())
    assert list(result["rows"]) == ["chance", "popularity", "content-knn", "alignrec[dim=8]"]
    for row in ("content-knn", "alignrec[dim=8]"):
        found = result["rows"][row]
        assert found["own"]["cold_only"] != found["by_content"]["cold_only"]
        assert found["own"]["all"]["deviation"] >= 0
        assert f"{row:24} own {found['own']['all']['mean']:.4f}" in capsys.readouterr().out or row != "content-knn"
    assert result["seeds"] == 2
