import json
import shutil

import pytest
from quality import stage2

from alignrec_geo.comparison import compare
from alignrec_geo.dataset import make_catalogue
from alignrec_geo.errors import InputError
from tests.in_this_process import runs_in_this_process


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("stage2")
    data = make_catalogue(n_users=80, n_items=50, image_size=16).save(root / "catalogue").path
    request = {"seeds": 1, "settings": ["epochs=2"]}
    with runs_in_this_process():
        compare(data, root / "text", ["popularity", "bpr"], features=["text"], **request)
        compare(data, root / "mmrec", ["popularity"], features=["text"], protocol="mmrec", **request)
    return root


def test_rows_of_several_folders_and_tests_against_the_first(folders):
    other = shutil.copytree(folders / "text", folders / "image")
    results = json.loads((other / "results.json").read_text())
    for model in results["models"]:
        model["features"] = ["image"]
    (other / "results.json").write_text(json.dumps(results))
    found = stage2.together([folders / "text", other])
    rows = [(row["model"], row["features"]) for row in found["rows"]]
    assert len(set(rows)) == 4
    assert len(found["paired"]) == 3
    assert found["rows"][0]["recall@20"] == results["models"][0]["runs"][0]["metrics"]["recall@20"]
    (same,) = [test for test in found["paired"] if test["baseline"].startswith(rows[0][0])]
    assert same["difference"] == 0


def test_rows_are_told_apart_by_their_settings(folders):
    other = shutil.copytree(folders / "text", folders / "narrow")
    results = json.loads((other / "results.json").read_text())
    results["models"] = [model for model in results["models"] if model["name"] == "bpr"]
    results["models"][0]["parameters"]["dim"] = 32
    (other / "results.json").write_text(json.dumps(results))
    found = stage2.together([folders / "text", other])
    labels = [row["label"] for row in found["rows"] if row["model"] == "bpr"]
    assert [label.split()[-1] for label in labels] == ["dim=64", "dim=32"]
    assert set(labels) <= {test["baseline"] for test in found["paired"]} | {found["rows"][0]["label"]}
    assert all(len(row["validation_by_seed"]) == 1 for row in found["rows"])


def test_folders_must_fit_together(folders):
    with pytest.raises(InputError, match="two folders hold the same row"):
        stage2.together([folders / "text", folders / "text"])
    with pytest.raises(InputError, match="differ in protocol"):
        stage2.together([folders / "text", folders / "mmrec"])


def test_a_model_that_is_not_trained_is_named(folders):
    begun = shutil.copytree(folders / "text", folders / "begun")
    results = json.loads((begun / "results.json").read_text())
    results["models"][0]["runs"] = []
    (begun / "results.json").write_text(json.dumps(results))
    name = results["models"][0]["name"]
    with pytest.raises(InputError, match=f"begun: no run of '{name}' is finished; the first is not trained yet"):
        stage2.together([begun])
