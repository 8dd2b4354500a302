import importlib.util
import json

import pytest
import torch
from harness.sent import Sent
from harness.shapes import SHAPES, make_dataset
from quality import sampled_runs
from speed import sampled, sampled_ranks

from alignrec_geo import to_hetero
from alignrec_geo.evaluation.protocols import Protocol
from alignrec_geo.training.subgraphs import sampling_package

needs_sampler = pytest.mark.skipif(sampling_package() is None, reason="neither pyg-lib nor torch-sparse is installed")


@pytest.fixture(scope="module")
def data():
    return make_dataset(SHAPES["quick"])


def test_training_on_the_whole_graph_ranks_better_than_chance(data):
    recalls = sampled.train(to_hetero(data, cache=False), data.interactions, None, Protocol.CLEAN, 3, seed=0)
    assert len(recalls) == 3
    assert max(recalls) > 20 / data.interactions.n_items


def test_without_a_sampler_it_says_so(monkeypatch):
    monkeypatch.setattr(sampled, "sampling_package", lambda: None)
    with pytest.raises(SystemExit, match=r"needs pyg-lib or torch-sparse; 'make test-ext'"):
        sampled.main(quick=True)


@needs_sampler
def test_quick(capsys):
    sampled.main(dataset=None, features=None, epochs=1, seed=0, quick=True, results=None)
    result = json.loads(capsys.readouterr().out)
    assert len(result["rows"]) == 4
    assert result["ratio"] == min(row["ratio"] for row in result["rows"])
    assert result["quality"] == []


@needs_sampler
def test_all_neighbours_train_like_the_whole_graph(data):
    graph = to_hetero(data, cache=False)
    whole, all_neighbours = (
        sampled.train(graph, data.interactions, hops, Protocol.CLEAN, 2, seed=0) for hops in (None, [-1, -1])
    )
    assert all_neighbours == pytest.approx(whole, abs=0.01)


def test_what_a_run_is_worth(data):
    (row,) = sampled_runs.qualities(data, 2, 0.01, 0, Protocol.CLEAN, trained=({},))
    assert row["num_neighbors"] is None
    assert row["epochs"] == 2
    assert 0 < row["test"]["recall@20"] <= 1


@needs_sampler
def test_what_a_run_with_all_neighbours_is_worth(data):
    trained = ({}, {"num_neighbors": (-1, -1), "subgraphs": 2})
    whole, parts = sampled_runs.qualities(data, 2, 0.01, 0, Protocol.CLEAN, trained)
    assert parts["test"] == pytest.approx(whole["test"], abs=0.01)


def test_an_all_to_all_sends_what_is_for_the_others():
    sent = Sent(size=2, rank=1)
    assert sent._sent("alltoall_base", (None, torch.zeros(5, 3), None, [], [4, 1])) == 4 * 3 * 4
    assert sent._sent("alltoall_base", (None, torch.zeros(4, dtype=torch.long), None, [], [])) == 2 * 8


@needs_sampler
@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("torchrec") is None, reason="needs TorchRec")
def test_two_ranks_send_less_than_their_tables_and_train_the_same(capsys, tmp_path):
    """Three processes, two of which import TorchRec."""
    sampled_ranks.main("1,2", "3000", 256, 4, hold="", quick=True, results=tmp_path)
    result = json.loads(capsys.readouterr().out)
    assert result == json.loads((tmp_path / "sampled-ranks.json").read_text())
    one, two = result["rows"]
    assert one["sent_mb"] == 0
    assert all(row["same_losses"] and row["same_rows"] for row in (one, two))
    looked_up, rows_of_batch = two["looked_up"] * 64 * 4, 6 * 256 * 64 * 4
    assert 0.5 * rows_of_batch <= 1e6 * two["sent_mb"] < 2 * looked_up + rows_of_batch
