"""Training on sampled subgraphs: what is refused, and, where neighbours can be sampled, that it is the whole graph's
training when all neighbours are taken. Two ranks are in tests/distributed/test_sampled_ranks.py."""

import importlib.util

import pytest
import torch

from alignrec_geo.dataset import make_catalogue
from alignrec_geo.distributed import row_table
from alignrec_geo.errors import InputError
from alignrec_geo.models import AlignRec, LightGCN, find_model
from alignrec_geo.training import TrainingConfig, fit, subgraphs
from alignrec_geo.training.sampled.check import check_sampled
from alignrec_geo.training.sampled.graph import sampling_graph
from alignrec_geo.training.sampled.loss import _by_table, _by_triplet
from alignrec_geo.training.sampled.parts import PartedSampler
from alignrec_geo.training.sampling import TripletSampler
from alignrec_geo.training.subgraphs import SubgraphSampler, sampling_package
from tests.training.small_runs import lines, without_seconds

needs_sampling = pytest.mark.skipif(sampling_package() is None, reason="needs pyg-lib or torch-sparse")


@pytest.fixture(scope="module")
def data():
    return make_catalogue(n_users=40, n_items=30, image_size=16)


def check(model="lightgcn", config=None, ranks=1, content=False, **settings):
    kind = find_model(model)
    training = TrainingConfig(device="cpu", **{"num_neighbors": (5, 3), **settings})
    check_sampled(kind, kind.settings(config), training, ranks, content)


REFUSED = {
    "bpr": ({"model": "bpr"}, r"'bpr' is trained on the whole graph.*\(num_neighbors=\[5, 3\]\) alignrec and lightgcn"),
    "alignrec-plus": ({"model": "alignrec-plus"}, "'alignrec-plus' is trained on the whole graph"),
    "ranks": ({"model": "alignrec", "ranks": 2}, "by one process; several ranks can train lightgcn so"),
    "edge types": (
        {"model": "alignrec", "config": {"user_item_conv": {"user__interacts__item": "sage"}}},
        "layers per edge type",
    ),
    "compile": ({"compile": True}, "not compiled on sampled subgraphs"),
    "uneven": ({"ranks": 4, "subgraphs": 6}, "6 subgraphs of a batch .* 4 ranks; set subgraphs to a multiple.* 8"),
    "hops": ({"num_neighbors": (5,)}, r"reach 2 hops far.*\(got 1\)"),
    "item hops": (
        {"model": "alignrec", "config": {"layers": 1, "item_layers": 2}, "content": True},
        r"reach 3 hops far.*\(got 2\)",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(monkeypatch, name):
    monkeypatch.setattr(subgraphs, "sampling_package", lambda: "pyg-lib")
    monkeypatch.setattr(row_table, "require_torchrec", lambda: None)
    given, message = REFUSED[name]
    with pytest.raises(InputError, match=message):
        check(**given)


def test_a_gpu_is_refused(monkeypatch):
    monkeypatch.setattr(TrainingConfig, "torch_device", lambda self: torch.device("cuda"))
    with pytest.raises(InputError, match="on the CPU; set device=cpu"):
        check()


@pytest.mark.parametrize("value", [(), (0,), (5, -2)])
def test_impossible_numbers_of_neighbours(value):
    with pytest.raises(ValueError, match="one number for each hop"):
        TrainingConfig(num_neighbors=value)


def test_without_a_sampler_the_message_names_what_to_install(monkeypatch):
    monkeypatch.setattr(subgraphs, "sampling_package", lambda: None)
    with pytest.raises(InputError, match="needs pyg-lib or torch-sparse"):
        check()


def test_without_torchrec_the_message_names_what_to_install(monkeypatch):
    monkeypatch.setattr(subgraphs, "sampling_package", lambda: "pyg-lib")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    check()  # one process needs none
    with pytest.raises(
        InputError, match=r"torchrec and fbgemm_gpu cannot be .*alignrec-geo\[torchrec\].*--no-deps torchrec"
    ):
        check(ranks=2)


def test_the_whole_graph_needs_neither(monkeypatch):
    monkeypatch.setattr(subgraphs, "sampling_package", lambda: None)
    check("bpr", num_neighbors=None, ranks=3)


def test_the_command_says_it_before_anything_is_started(verb, data, tmp_path, monkeypatch):
    folder = data.save(tmp_path / "data").path
    monkeypatch.setattr("alignrec_geo.cli.train.start_ranks", lambda *given: pytest.fail("ranks were started"))
    monkeypatch.setattr(subgraphs, "sampling_package", lambda: None)
    run = ("--out", tmp_path / "run", "--neighbors", "5,3", "--set", "device=cpu")
    verb("train", folder, *run, "--model", "lightgcn", "--ranks", 2).refused("needs pyg-lib or torch-sparse")
    verb("train", folder, *run, "--model", "lightgcn").refused("needs pyg-lib or torch-sparse")
    verb("train", folder, *run, "--model", "mgcn").refused("'mgcn' is trained on the whole graph")
    verb("train", folder, *run[:2], "--neighbors", "5,x").refused("num_neighbors", "'x'")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("layout", [(3, 3), (3, 1, 2), (3,)])
def test_rows_by_triplet_and_back(layout):
    tables = [torch.randn(each * 5, 2) for each in layout]
    triplets = _by_triplet(tables, layout)
    assert triplets.shape == (5, sum(layout), 2)
    assert torch.equal(triplets[3, 1], tables[0][5 + 3])  # the positive of the fourth triplet
    assert all(torch.equal(one, back) for one, back in zip(tables, _by_table(triplets, layout), strict=True))


def trained(data, kind, folder=None, epochs=2, resume=False, **settings):
    model = kind.from_dataset(data, config={"dim": 16})
    config = {"epochs": epochs, "batch_size": 100, "log_to": (), "device": "cpu", **settings}
    return fit(model, config=config, out=folder, resume=resume)


@needs_sampling
@pytest.mark.parametrize("kind", [LightGCN, AlignRec])
@pytest.mark.parametrize("count", [1, 3])
def test_with_all_neighbours_it_is_training_on_the_whole_graph(data, tmp_path, kind, count):
    whole = trained(data, kind, tmp_path / "whole")
    parts = trained(data, kind, tmp_path / "parts", num_neighbors=(-1, -1), subgraphs=count)
    expected, found = (without_seconds(lines(tmp_path / name)) for name in ("whole", "parts"))
    for ours, theirs in zip(found, expected, strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-5, abs=1e-7)
    for ours, theirs in zip(parts.embeddings, whole.embeddings, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=2e-5)


@needs_sampling
def test_a_run_repeats_and_goes_on_bit_for_bit(data, tmp_path):
    drawn = {"num_neighbors": (2, 1), "subgraphs": 2}
    once = trained(data, LightGCN, tmp_path / "once", epochs=3, **drawn)
    trained(data, LightGCN, tmp_path / "twice", epochs=1, **drawn)
    twice = trained(data, LightGCN, tmp_path / "twice", epochs=3, resume=True, **drawn)
    whole = trained(data, LightGCN, epochs=3)
    assert all(torch.equal(*pair) for pair in zip(once.embeddings, twice.embeddings, strict=True))
    assert not torch.equal(once.embeddings.users, whole.embeddings.users)
    assert "num_neighbors:\n  - 2\n  - 1" in (tmp_path / "once" / "config.yaml").read_text()


@needs_sampling
def test_parts_are_those_of_the_batch_and_none_is_empty(data):
    model = LightGCN.from_dataset(data)
    triplets = TripletSampler(data.interactions, 150)
    sampler = PartedSampler(SubgraphSampler(sampling_graph(model), triplets, [2, 2]), 4)
    whole = list(triplets.epoch(torch.Generator().manual_seed(3)))
    parted = list(sampler.epoch(torch.Generator().manual_seed(3)))
    assert sampler.steps == len(parted) == len(whole)
    for (batch, parts), expected in zip(parted, whole, strict=True):
        assert all(torch.equal(one, other) for one, other in zip(batch[:3], expected[:3], strict=True))
        users = torch.cat([part.graph["user"].n_id[part.batch.users] for part in parts])
        negatives = torch.cat([part.graph["item"].n_id[part.batch.negatives] for part in parts])
        assert torch.equal(users, expected.users)
        assert torch.equal(negatives, expected.negatives)
        assert all(len(part.batch.users) for part in parts)


@needs_sampling
def test_a_batch_of_fewer_triplets_than_parts(data):
    all_but_one = len(TripletSampler(data.interactions, 1).users) - 1
    small = trained(data, LightGCN, epochs=1, batch_size=all_but_one, num_neighbors=(2, 2), subgraphs=4)
    assert torch.isfinite(small.embeddings.users).all()
