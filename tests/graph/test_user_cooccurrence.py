import pytest
import torch

from alignrec_geo.graph import user_cooccurrence as module
from alignrec_geo.graph.user_cooccurrence import CommonItems, draw_slot_weights, user_cooccurrence
from tests.golden_numbers import load_golden, toy_graph


def pairs() -> torch.Tensor:
    return toy_graph()["user", "interacts", "item"].edge_index


def triples(common: CommonItems) -> torch.Tensor:
    return torch.stack(list(common), dim=1)


def test_equals_the_golden_triples():
    assert torch.equal(
        triples(user_cooccurrence(pairs(), 60, 40)), torch.from_numpy(load_golden("toy_data")["user_graph"])
    )


def thin_pairs() -> torch.Tensor:
    """Sixty users with few items each, most of them popular ones: many share a single item."""
    draw = torch.Generator().manual_seed(0)
    item = (torch.rand(150, generator=draw) ** 3 * 40).long()
    return torch.unique(torch.stack([torch.randint(60, (150,), generator=draw), item]), dim=1)


@pytest.mark.parametrize("given", [pairs(), thin_pairs()], ids=["toy", "thin"])
@pytest.mark.parametrize("block", [1, 50, 1 << 22])
@pytest.mark.parametrize("k", [1, 7, 59, 200])
def test_equals_the_dense_form(k, block, given, monkeypatch):
    monkeypatch.setattr(module, "BLOCK_ENTRIES", block)
    r = torch.zeros(60, 40, dtype=torch.long)
    r[tuple(given)] = 1
    counts = (r @ r.T).fill_diagonal_(0)
    expected = []
    for user, row in enumerate(counts.tolist()):
        best = sorted((-count, other) for other, count in enumerate(row) if count)[:k]
        expected += [[user, other, -count] for count, other in best]
    shuffled = given[:, torch.randperm(given.shape[1], generator=torch.Generator().manual_seed(0))]
    assert triples(user_cooccurrence(shuffled, 60, 40, k)).tolist() == expected


def test_users_who_share_nothing_have_no_neighbours():
    common = user_cooccurrence(torch.tensor([[1, 3, 4], [0, 1, 1]]), n_users=6, n_items=2)
    assert triples(common).tolist() == [[3, 4, 1], [4, 3, 1]]
    nobody = user_cooccurrence(torch.empty(2, 0, dtype=torch.long), n_users=3, n_items=2)
    assert triples(nobody).shape == (0, 3)
    assert draw_slot_weights(nobody, 3, 40, torch.Generator()).shape == (0,)


def test_full_places_are_weighted_by_the_softmax_of_the_counts():
    common = user_cooccurrence(pairs(), 60, 40, k=5)
    weight = draw_slot_weights(common, 60, 5, torch.Generator()).view(60, 5)
    torch.testing.assert_close(weight, common.shared.view(60, 5).float().softmax(dim=1))


def test_short_users_copy_places_that_are_filled():
    common = CommonItems(torch.tensor([0, 0, 2]), torch.tensor([1, 2, 0]), torch.tensor([2, 2, 9]))
    weight = draw_slot_weights(common, 3, 10, torch.Generator().manual_seed(0))
    held = weight[:2] * 10  # equal counts: the weight is the share of the places
    torch.testing.assert_close(held, held.round())
    assert held.min() >= 1
    assert float(weight[2]) == 1.0


def test_copies_reinforce_themselves():
    """Copying a uniformly drawn place makes every division of the free places equally likely (Pólya's urn)."""
    users = 4000
    common = CommonItems(
        torch.arange(users).repeat_interleave(2),
        torch.zeros(2 * users, dtype=torch.long),
        torch.ones(2 * users, dtype=torch.long),
    )
    weight = draw_slot_weights(common, users, 6, torch.Generator().manual_seed(0)).view(users, 2)
    share = torch.bincount((weight[:, 0] * 6).round().long(), minlength=6)[1:] / users
    assert share.tolist() == pytest.approx([0.2] * 5, abs=0.03)


def test_large_counts_do_not_overflow():
    common = CommonItems(torch.tensor([0, 0]), torch.tensor([1, 2]), torch.tensor([2000, 1000]))
    assert draw_slot_weights(common, 3, 2, torch.Generator()).tolist() == [1.0, 0.0]
