import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alignrec_geo.kernels.backends import use_backends
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.topk import blocked_top_k, reference_best_items, reference_top_k
from alignrec_geo.kernels.triton import topk as kernels
from tests.kernels.triton.conftest import INTERPRETED


@pytest.fixture(scope="module", autouse=True)
def _small_tiles():
    """In the interpreter a sorting network costs a Python call per comparison."""
    with pytest.MonkeyPatch.context() as patch:
        if INTERPRETED:
            for name, size in (("USERS", 2), ("ITEMS", 8), ("TILES", 2), ("DEPTH", 4), ("MOST", 8)):
                patch.setattr(kernels, name, size)
        yield


def whole(seed, rows, width, levels, device):
    """Embeddings of whole numbers: products are exact, in any order, and many are equal."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-levels, levels + 1, (rows, width), generator=generator).float().to(device)


@given(st.integers(0, 999), st.integers(1, 3), st.integers(1, 37), st.integers(1, 6), st.integers(1, 9), st.booleans())
@settings(max_examples=15, deadline=None)
def test_equals_the_reference_with_many_ties_and_excluded_items(device, seed, users, items, width, k, exclude):
    user, item = whole(seed, users, width, 1, device), whole(seed + 1, items, width, 1, device)
    generator = torch.Generator().manual_seed(seed)
    seen = None
    if exclude:
        count = int(torch.randint(users * items + 1, (1,), generator=generator))
        place = torch.randperm(users * items, generator=generator)[:count].sort().values.to(device)
        seen = place // items, place % items
    ours = kernels.best_items(user, item, k, seen)
    theirs = reference_best_items(user, item, k, seen)
    for mine, plain in zip(ours, theirs, strict=True):
        assert mine.dtype == plain.dtype
        assert torch.equal(mine, plain)


def test_everything_seen(device):
    user, item = whole(0, 2, 3, 2, device), whole(1, 11, 3, 2, device)
    seen = torch.repeat_interleave(torch.arange(2), 11).to(device), torch.arange(11).repeat(2).to(device)
    value, column = kernels.best_items(user, item, 3, seen)
    assert value.isneginf().all()
    assert column.tolist() == [[0, 1, 2]] * 2


def test_excluded_pairs_in_any_order_and_given_twice(device):
    user, item = torch.ones(2, 1, device=device), torch.arange(20.0, device=device)[:, None]
    seen = torch.tensor([0, 0, 0, 1], device=device), torch.tensor([19, 3, 19, 18], device=device)
    assert kernels.best_items(user, item, 3, seen)[1].tolist() == [[18, 17, 16], [19, 17, 16]]


def test_scores_of_either_sign_and_signed_zeros(device):
    item = torch.tensor([[-0.0], [0.0], [-1.5], [2.0], [-1e30], [1e-30], [-1e-30]], device=device)
    user = torch.ones(1, 1, device=device)
    value, column = kernels.best_items(user, item, 7, None)
    assert column.tolist() == [[3, 5, 0, 1, 6, 2, 4]]
    assert value[0].tolist() == [item[i, 0].item() for i in column[0]]


def test_random_scores(device):
    generator = torch.Generator().manual_seed(0)
    user, item = torch.randn(3, 7, generator=generator), torch.randn(30, 7, generator=generator)
    value, column = kernels.best_items(user.to(device), item.to(device), 5, None)
    expected, place = reference_best_items(user, item, 5, None)
    torch.testing.assert_close(value.cpu(), expected, rtol=1e-5, atol=1e-6)
    assert torch.equal(column.cpu(), place)


def test_blocks_through_the_public_function(device):
    generator = torch.Generator().manual_seed(0)
    users, items = whole(0, 5, 4, 3, device), whole(1, 9, 4, 3, device)
    seen_user, seen_item = torch.tensor([0, 0, 3, 4, 4]), torch.tensor([1, 8, 2, 0, 5])
    seen_user, seen_item = seen_user.to(device), seen_item.to(device)
    seen = CSR.from_coo(seen_user, seen_item, torch.ones(5, device=device), (5, 9))
    rows = torch.randperm(5, generator=generator)[:4].to(device)
    scores = users @ items.T
    scores[seen_user, seen_item] = -torch.inf
    value, column = reference_top_k(scores[rows], 6)
    with use_backends(topk="triton"):
        ((chosen, ours, places),) = blocked_top_k(users, items, rows, 6, exclude=seen)
    assert torch.equal(chosen, rows)
    assert torch.equal(ours, value)
    assert torch.equal(places, column)


def test_what_takes_the_torch_path(device):
    user, item = whole(0, 2, 3, 2, device), whole(1, 300, 3, 2, device)
    for users, items, k in ((user, item, kernels.MOST + 1), (user.double(), item.double(), 3), (user[:0], item, 3)):
        for mine, plain in zip(
            kernels.best_items(users, items, k, None), reference_best_items(users, items, k, None), strict=True
        ):
            assert torch.equal(mine, plain)
