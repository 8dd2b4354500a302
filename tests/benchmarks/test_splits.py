import json
import shutil
from statistics import fmean

import polars as pl
import pytest
from quality import splits

from alignrec_geo.comparison import compare
from alignrec_geo.dataset import SplitConfig, make_catalogue
from alignrec_geo.errors import InputError
from tests.in_this_process import runs_in_this_process


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("splits")
    data = make_catalogue(n_users=80, n_items=50, image_size=16)
    with runs_in_this_process():
        for seed in (1, 2):
            split = data.with_split(SplitConfig(seed=seed)).save(root / f"data-{seed}").path
            models = ["popularity", "bpr"]
            compare(split, root / f"{seed}", models, features=["text"], seeds=1, settings=["epochs=2"], reference="bpr")
    return root


def test_means_by_split_and_users_paired_over_all_splits(folders):
    found = splits.over_splits([folders / "1", folders / "2"])
    (popularity,) = [model for model in found["models"] if model["name"] == "popularity"]
    single = [json.loads((folders / f"{n}" / "results.json").read_text()) for n in (1, 2)]
    recalls = [
        next(m for m in s["models"] if m["name"] == "popularity")["runs"][0]["metrics"]["recall@20"] for s in single
    ]
    assert popularity["recall@20 by split"] == recalls
    assert recalls[0] != recalls[1]
    assert popularity["recall@20"] == pytest.approx(fmean(recalls))
    recall, ndcg = found["paired"]
    assert (recall["baseline"], recall["metric"], ndcg["metric"]) == ("popularity", "recall@20", "ndcg@20")
    users = pl.concat(pl.read_parquet(folders / f"{n}" / "per_user.parquet") for n in (1, 2))
    mean = users.group_by("model", "user").agg(pl.col("recall@20").mean()).pivot("model", index="user").drop_nulls()
    assert recall["difference"] == pytest.approx((mean["bpr"] - mean["popularity"]).mean())


def test_folders_must_fit_together(folders, tmp_path):
    with pytest.raises(InputError, match="the same split"):
        splits.over_splits([folders / "1", folders / "1"])
    other = shutil.copytree(folders / "2", tmp_path / "other")
    results = json.loads((other / "results.json").read_text())
    results["models"][1]["training"]["lr"] = 0.1
    (other / "results.json").write_text(json.dumps(results))
    with pytest.raises(InputError, match="differ in settings"):
        splits.over_splits([folders / "1", other])


def test_a_model_without_a_finished_run_is_named(folders, tmp_path):
    failed = shutil.copytree(folders / "2", tmp_path / "failed")
    results = json.loads((failed / "results.json").read_text())
    for model in results["models"]:
        for run in model["runs"]:
            run["error"] = "out of memory"
    (failed / "results.json").write_text(json.dumps(results))
    name = results["models"][0]["name"]
    with pytest.raises(InputError, match=f"failed: no run of '{name}' is finished; the first failed: out of memory"):
        splits.over_splits([folders / "1", failed])
