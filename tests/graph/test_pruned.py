import math

import pytest
import torch

from alignrec_geo.errors import InputError
from alignrec_geo.graph.pruned import prune_edges, pruned_adjacency
from tests.golden_numbers import toy_graph


def pairs() -> torch.Tensor:
    return toy_graph("image")["user", "interacts", "item"].edge_index


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("ratio", [0.0, 0.5, 0.8, 0.999])
def test_keeps_the_stated_number_of_distinct_edges_in_order(ratio):
    edges = pairs()
    kept = prune_edges(edges, 60, 40, ratio, generator())
    assert kept.shape == (2, int(edges.shape[1] * (1.0 - ratio)))
    before, after = ((part[0] * 40 + part[1]).tolist() for part in (edges, kept))
    assert len(set(after)) == len(after)
    assert [key for key in before if key in set(after)] == after


def test_draws_follow_the_generator():
    first, again, other = (prune_edges(pairs(), 60, 40, 0.8, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_frequencies_equal_those_of_drawing_one_edge_after_the_other():
    """Two of four edges of a star and a pair; the exact chances by listing every order of draws."""
    edges = torch.tensor([[0, 0, 0, 1], [0, 1, 2, 2]])
    weight = [3**-0.5, 3**-0.5, 6**-0.5, 2**-0.5]  # 1 / sqrt(d_u d_i)
    total = sum(weight)
    chance = [0.0] * 4
    for i in range(4):
        for j in range(4):
            if i != j:
                both = weight[i] / total * weight[j] / (total - weight[i])
                chance[i] += both
                chance[j] += both
    draws, draw = 4000, generator()
    times = torch.zeros(4)
    for _ in range(draws):
        kept = prune_edges(edges, 2, 3, 0.5, draw)
        times += (edges[0] * 3 + edges[1] == (kept[0] * 3 + kept[1])[:, None]).any(0)
    for seen, expected in zip((times / draws).tolist(), chance, strict=True):
        assert abs(seen - expected) < 4 * math.sqrt(expected * (1 - expected) / draws)


def test_degrees_are_counted_among_the_kept_edges():
    user, item = prune_edges(pairs(), 60, 40, 0.8, generator())
    r = torch.zeros(60, 40)
    r[user, item] = 1.0
    a = torch.cat([torch.cat([torch.zeros(60, 60), r], 1), torch.cat([r.T, torch.zeros(40, 40)], 1)])
    scale = a.sum(1).clamp(min=1.0).rsqrt()
    ours = pruned_adjacency(pairs(), 60, 40, 0.8, generator())
    torch.testing.assert_close(ours.matrix.to_dense(), scale[:, None] * a * scale)
    assert ours.shape == (100, 100)


def test_more_edges_than_multinomial_can_draw_from():
    """Every user with every item, 2²⁴ + 2¹² edges: those of the last users are kept as often as any."""
    edges = torch.stack([torch.arange(4097).repeat_interleave(4096), torch.arange(4096).repeat(4097)])
    assert edges.shape[1] > 2**24
    kept = prune_edges(edges, 4097, 4096, 0.9999, generator())
    assert kept.shape[1] == int(edges.shape[1] * (1.0 - 0.9999))
    assert 0.4 < float((kept[0] > 2048).float().mean()) < 0.6
    assert int(kept[0].max()) > 4050


@pytest.mark.parametrize("ratio", [-0.1, 1.0, math.nan])
def test_impossible_ratio(ratio):
    with pytest.raises(InputError, match=r"at least 0 and below 1 \(got "):
        prune_edges(pairs(), 60, 40, ratio, generator())
