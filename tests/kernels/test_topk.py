import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alignrec_geo.kernels import topk
from alignrec_geo.kernels.backends import use_backends
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.topk import blocked_top_k, reference_top_k, top_k


@given(st.integers(0, 999), st.integers(1, 6), st.integers(1, 30), st.integers(1, 12), st.integers(1, 6))
@settings(max_examples=100, deadline=None)
def test_equals_a_stable_sort_with_many_ties(seed, rows, columns, k, levels):
    scores = torch.randint(levels, (rows, columns), generator=torch.Generator().manual_seed(seed)).float()
    scores[scores == 0] = -torch.inf
    for ours, theirs in zip(top_k(scores, k), reference_top_k(scores, k), strict=True):
        assert torch.equal(ours, theirs)


def test_among_equal_scores_the_lower_item_wins():
    assert top_k(torch.zeros(1, 100), 3)[1].tolist() == [[0, 1, 2]]


def test_blocks_equal_one_block_and_excluded_items_come_last(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    users, items = torch.randn(7, 4, generator=generator), torch.randn(9, 4, generator=generator)
    seen_user, seen_item = torch.tensor([0, 0, 3, 6, 6]), torch.tensor([1, 8, 2, 0, 5])
    seen = CSR.from_coo(seen_user, seen_item, torch.ones(5), (7, 9))
    rows = torch.tensor([6, 0, 3, 2])
    scores = users @ items.T
    scores[seen_user, seen_item] = -torch.inf
    value, column = reference_top_k(scores[rows], 9)
    for size, backend in ((1, "torch"), (18, "torch"), (1000, "torch"), (18, "reference")):
        monkeypatch.setattr(topk, "BLOCK_SCORES", size)
        with use_backends(topk=backend):
            blocks = list(blocked_top_k(users, items, rows, 9, exclude=seen))
        assert torch.equal(torch.cat([block[0] for block in blocks]), rows)
        torch.testing.assert_close(torch.cat([block[1] for block in blocks]), value)
        assert torch.equal(torch.cat([block[2] for block in blocks]), column)
    assert value[0, -2:].isneginf().all()
