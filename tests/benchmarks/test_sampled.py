import json

import pytest
from harness.shapes import SHAPES, make_dataset
from speed import sampled

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
