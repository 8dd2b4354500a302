"""Sampled training on two ranks: bit for bit the run of one process. Needs TorchRec and pyg-lib or torch-sparse, which
``make test-ext`` installs."""

import importlib.util
import os
import signal

import pytest
import torch
from safetensors.torch import load_file

from alignrec_geo import Dataset, load
from alignrec_geo.dataset import make_catalogue
from alignrec_geo.distributed import current
from alignrec_geo.distributed.row_table import RowTable
from alignrec_geo.models import LightGCN
from alignrec_geo.training import fit
from alignrec_geo.training.sampling import TripletSampler
from alignrec_geo.training.subgraphs import sampling_package
from tests.distributed.ranks import run_ranks
from tests.distributed.started import Started, gone
from tests.training.small_runs import lines, without_seconds

pytestmark = [
    pytest.mark.skipif(sampling_package() is None, reason="needs pyg-lib or torch-sparse"),
    pytest.mark.skipif(importlib.util.find_spec("torchrec") is None, reason="needs TorchRec"),
]
SETTINGS = {"log_to": (), "num_neighbors": (3, 2), "subgraphs": 4, "device": "cpu"}
CHECKPOINTS = ("checkpoint/last.safetensors", "checkpoint/best.safetensors")


def train(data, folder, epochs, resume=False):
    """One run; what it ends with. An epoch has two batches, the last of one triplet, of which one rank has none."""
    dataset = Dataset.open(data)
    model = LightGCN.from_dataset(dataset, config={"dim": 16})
    settings = SETTINGS | {"epochs": epochs, "batch_size": len(TripletSampler(dataset.interactions, 1).users) - 1}
    return fit(model, config=settings, out=folder, resume=resume).metrics


def _both(data, folder):
    """What a rank does: a run, and the second half of one that one process began."""
    first = train(data, folder / "many", 2)
    return first, train(data, folder / "one-then-many", 2, resume=True)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folders ``one``, ``many`` and ``one-then-many`` with the same run, and what it was tested with."""
    folder = tmp_path_factory.mktemp("sampled")
    make_catalogue(n_users=41, n_items=34, image_size=16).save(folder / "data")
    train(folder / "data", folder / "one-then-many", 1)
    ranks = run_ranks(2, _both, folder / "said", folder / "data", folder)
    return folder, train(folder / "data", folder / "one", 2), ranks


@pytest.mark.parametrize("name", ["many", "one-then-many"])
def test_losses_and_metrics_are_those_of_one_process(runs, name):
    folder, metrics, ranks = runs
    expected, found = (without_seconds(lines(folder / kind)) for kind in ("one", name))
    assert len(found) == 2
    for ours, theirs in zip(found, expected, strict=True):
        assert ours["loss"] == theirs["loss"]
        assert ours["validation"] == pytest.approx(theirs["validation"], abs=1e-6)
    for of_rank in ranks:
        assert of_rank == [pytest.approx(metrics, abs=1e-6)] * 2


@pytest.mark.parametrize("name", ["many", "one-then-many"])
@pytest.mark.parametrize("file", CHECKPOINTS)
def test_parameters_and_the_optimiser_are_those_of_one_process_to_the_last_bit(runs, name, file):
    expected, found = (load_file(runs[0] / kind / file) for kind in ("one", name))
    assert found.keys() == expected.keys()
    for key, tensor in expected.items():
        assert torch.equal(found[key], tensor), key


def test_a_run_of_two_goes_on_with_one_process(runs):
    folder = runs[0]
    for name in ("one", "many"):
        train(folder / "data", folder / name, 3, resume=True)
    expected, found = (without_seconds(lines(folder / name)) for name in ("one", "many"))
    assert found[2]["loss"] == expected[2]["loss"]


def test_the_run_recommends(runs):
    folder = runs[0]
    user = Dataset.open(folder / "data").users["id"][0]
    expected, found = (load(folder / kind).recommend([user]) for kind in ("one", "many"))
    assert [item.item for item in found[user]] == [item.item for item in expected[user]]


@pytest.mark.slow
def test_a_killed_rank_ends_all_with_one_line_and_the_run_goes_on(runs, tmp_path, verb):
    data, run = runs[0] / "data", tmp_path / "run"
    options = ["--model", "lightgcn", "--neighbors", "3,2", "--set", "patience=9999", "--log-to", "none", "--out", run]
    options += ["--set", "device=cpu"]
    command = ["-m", "alignrec_geo", "train", data, *options]
    started = Started([*command, "--ranks", 2, "--set", "epochs=9999"], tmp_path)
    assert started.until_epochs(run, 2), started.said.read_text()
    ranks = started.ranks()
    assert len(ranks) == 2
    os.kill(ranks[1], signal.SIGKILL)
    assert started.end(30) < 30
    assert started.process.returncode == 1
    (line,) = started.errors()
    assert "rank 1 was ended by SIGKILL" in line
    assert "go on with --resume" in line
    assert gone(ranks)
    assert "Traceback" not in started.said.read_text()
    done = len(lines(run))
    assert verb("train", data, *options, "--resume", "--set", f"epochs={done + 1}").code == 0
    assert len(lines(run)) == done + 1
    assert verb("evaluate", run).code == 0
    assert verb("export", run, "--to", "parquet", "--out", tmp_path / "exported").code == 0


def _looked_up(rows):
    """What two ranks get of a table, and the gradient of its rows."""
    group = current()
    table = RowTable(rows, 4, group)
    whole = torch.randn(rows, 4, generator=torch.Generator().manual_seed(1))
    table.take(whole[:, group.share(4).slice].contiguous())
    asked = [torch.tensor([rows - 1, 0, 3, 3]), torch.tensor([3, 1])][group.rank]
    found = table(asked)
    (found * (1.0 + torch.arange(len(asked)))[:, None]).sum().backward()
    gradient = table.by_columns(table.weight.grad)
    right = torch.equal(found, whole[asked]) and torch.equal(table.by_columns(), whole[:, group.share(4).slice])
    return right, group.all_columns(gradient, 4)[:, 0].tolist()


def test_lookups_and_their_gradients_are_those_of_the_whole_table(tmp_path):
    """Seven rows: the second rank's block is shorter. Rows that both ask for, or one twice, add up."""
    right, gradient = zip(*run_ranks(2, _looked_up, tmp_path, 7), strict=True)
    assert right == (True, True)
    assert gradient[0] == gradient[1] == [2.0, 2.0, 0.0, 3.0 + 4.0 + 1.0, 0.0, 0.0, 1.0]
