import numpy as np
import pytest
from harness.shapes import SHAPES, Shape, graph_with_drawn_neighbours, make_dataset, make_interactions, power_law

from alignrec_geo.dataset.interactions import Split
from alignrec_geo.graph.hetero import INTERACTS, SIMILAR


@pytest.mark.parametrize("shape", [SHAPES["quick"], power_law(3_000), Shape("full", 10, 12, 40)])
def test_counts_are_those_of_the_shape(shape):
    pairs = make_interactions(shape)
    assert pairs.split_sizes() == {"train": shape.pairs, "validation": shape.users, "test": shape.users}
    assert (pairs.n_users, pairs.n_items) == (shape.users, shape.items)
    assert pairs.of(Split.TRAIN).user_degree().min() >= 3
    for split in (Split.VALIDATION, Split.TEST):
        assert (pairs.of(split).user_degree() == 1).all()


def test_degrees_are_heavy_tailed_and_the_seed_decides():
    shape = power_law(20_000)
    pairs = make_interactions(shape, seed=1)
    for degree in (pairs.user_degree(), pairs.item_degree()):
        assert degree.max() > 5 * np.median(degree)
    assert np.array_equal(pairs.keys(), make_interactions(shape, seed=1).keys())
    assert not np.array_equal(pairs.keys(), make_interactions(shape, seed=2).keys())


def test_a_shape_that_cannot_hold_is_refused():
    with pytest.raises(ValueError, match="training pairs"):
        make_interactions(Shape("thin", users=100, items=50, pairs=200))


def test_power_law_keeps_the_ratios_of_baby():
    shape = power_law(118_551 * 2)
    assert (shape.users, shape.items) == (38_890, 14_100)


def test_real_pairs_replace_drawn_ones(tmp_path):
    small = make_dataset(Shape("small", 20, 30, 90, width=8))
    small.save(tmp_path / "small")
    data = make_dataset(Shape("other", 99, 99, 999, width=5), tmp_path / "small")
    assert data.interactions.split_sizes()["train"] == 90
    assert data.features("content").matrix.shape == (30, 5)


def test_drawn_neighbours_are_ten_different_items_with_the_item_itself():
    pairs = make_interactions(SHAPES["quick"])
    data = graph_with_drawn_neighbours(pairs, width=4)
    neighbour, centre = data[SIMILAR].edge_index
    assert data[INTERACTS].edge_index.shape == (2, 2_400)
    for item in (0, 77, 149):
        own = neighbour[centre == item].tolist()
        assert len(set(own)) == 10
        assert item in own
