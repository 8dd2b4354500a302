"""Two ranks train what one process trains: the same losses, metrics and files."""

import shutil

import pytest
import torch
from safetensors.torch import load_file

from alignrec_geo import Dataset, load
from alignrec_geo.dataset import make_catalogue
from tests.distributed.ranks import run_ranks
from tests.distributed.train_models import SMALL, train
from tests.training.small_runs import lines, without_seconds

NAMES = list(SMALL)
RESUMED = ["alignrec-trained", "mgcn"]
CHECKPOINTS = ("checkpoint/last.safetensors", "checkpoint/best.safetensors", "embeddings.safetensors")


def _both(data, folder):
    """What a rank does: a run of all models, and the second half of two runs that one process began."""
    everything = train(data, folder / "many", NAMES, epochs=2)
    train(data, folder / "one-then-many", RESUMED, epochs=2, resume=True)
    return everything


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folders ``one`` and ``many`` with a run of every model, ``one-then-many``, and what every rank returned."""
    folder = tmp_path_factory.mktemp("ranks")
    make_catalogue(n_users=41, n_items=33, image_size=16).save(folder / "data")
    train(folder / "data", folder / "one-then-many", RESUMED, epochs=1)
    ranks = run_ranks(2, _both, folder / "said", folder / "data", folder)
    one = train(folder / "data", folder / "one", NAMES, epochs=2)
    return folder, one, ranks


@pytest.mark.parametrize("name", NAMES)
def test_losses_and_metrics_of_every_epoch_are_those_of_one_process(runs, name):
    folder, one, ranks = runs
    expected, found = (without_seconds(lines(folder / kind / name)) for kind in ("one", "many"))
    assert len(found) == 2
    for ours, theirs in zip(found, expected, strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-5, abs=1e-6)
        assert ours["validation"] == pytest.approx(theirs["validation"], abs=1e-6)
    assert [rank[name]["metrics"] for rank in ranks] == [pytest.approx(one[name]["metrics"], abs=1e-6)] * 2


@pytest.mark.parametrize("name", NAMES)
def test_files_are_those_of_one_process(runs, name):
    folder = runs[0]
    paths = [sorted(path.name for path in (folder / kind / name).rglob("*")) for kind in ("one", "many")]
    assert paths[0] == paths[1]
    for file in CHECKPOINTS:
        expected, found = (load_file(folder / kind / name / file) for kind in ("one", "many"))
        assert found.keys() == expected.keys()
        for key in found:
            torch.testing.assert_close(found[key], expected[key], rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize("name", RESUMED)
def test_a_run_of_one_process_goes_on_with_two(runs, name):
    folder = runs[0]
    expected, found = (without_seconds(lines(folder / kind / name)) for kind in ("one", "one-then-many"))
    assert found[0] == expected[0]
    assert found[1]["loss"] == pytest.approx(expected[1]["loss"], rel=1e-5)
    assert found[1]["validation"] == pytest.approx(expected[1]["validation"], abs=1e-6)


@pytest.mark.parametrize("name", ["bm3", "lightgcn"])
def test_a_run_of_two_goes_on_with_one_process(runs, name, tmp_path):
    folder = runs[0]
    for kind in ("one", "many"):
        shutil.copytree(folder / kind / name, tmp_path / kind / name)
        train(folder / "data", tmp_path / kind, [name], epochs=3, resume=True)
    expected, found = (without_seconds(lines(tmp_path / kind / name)) for kind in ("one", "many"))
    assert len(found) == 3
    assert found[2]["loss"] == pytest.approx(expected[2]["loss"], rel=1e-5)


def test_the_first_rank_has_the_whole_model_and_tells_the_observers(runs):
    _, one, ranks = runs
    for name in NAMES:
        assert [rank[name]["widths"] for rank in ranks] == [one[name]["widths"], [4, 4]]
        assert [rank[name]["told"] for rank in ranks] == [2, 0]


def test_the_run_recommends(runs):
    folder = runs[0]
    user = Dataset.open(folder / "data").users["id"][0]
    expected, found = (load(folder / kind / "alignrec-trained").recommend([user]) for kind in ("one", "many"))
    assert [item.item for item in found[user]] == [item.item for item in expected[user]]
