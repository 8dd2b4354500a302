from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alignrec_geo.kernels import numpy_topk, topk
from alignrec_geo.kernels.backends import TABLE, use_backends
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.excluded import ExcludedPairs
from alignrec_geo.kernels.numpy_topk import threshold_top_k
from alignrec_geo.kernels.topk import blocked_top_k, reference_top_k, score_buffer, top_k

WAYS = [top_k, threshold_top_k]
BACKENDS = [name for name in TABLE["topk"] if name != "triton"]  # see tests/kernels/triton


def whole_numbers(seed, rows, width, levels):
    """Embeddings of whole numbers: products are exact, in any order, and many are equal."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-levels, levels + 1, (rows, width), generator=generator).float()


@pytest.mark.parametrize("way", WAYS)
@given(st.integers(0, 999), st.integers(1, 6), st.integers(1, 400), st.integers(1, 12), st.integers(1, 300))
@settings(max_examples=40, deadline=None)
def test_equals_a_stable_sort_with_many_ties(way, seed, rows, columns, k, levels):
    scores = torch.randint(levels, (rows, columns), generator=torch.Generator().manual_seed(seed)).float()
    scores[scores == 0] = -torch.inf
    for ours, theirs in zip(way(scores, k), reference_top_k(scores, k), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("way", WAYS)
def test_among_equal_scores_the_lower_item_wins(way):
    assert way(torch.zeros(1, 100), 3)[1].tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("way", WAYS)
def test_scores_of_either_sign_and_signed_zeros(way):
    scores = torch.full((1, 200), -torch.inf)
    scores[0, 60:67] = torch.tensor([-0.0, 0.0, -1.5, 2.0, -1e30, 1e-30, -1e-30])
    value, column = way(scores, 9)
    assert column.tolist() == [[63, 65, 60, 61, 66, 62, 64, 0, 1]]
    assert torch.equal(value, scores[:, column[0]])


@pytest.mark.parametrize("way", WAYS)
def test_random_scores_other_types_and_no_rows(way):
    scores = torch.randn(150, 900, generator=torch.Generator().manual_seed(0))
    for given_scores, k in ((scores, 20), (scores.double(), 20), (scores[:, ::2], 5), (scores[:0], 20)):
        for ours, theirs in zip(way(given_scores, k), reference_top_k(given_scores, k), strict=True):
            assert torch.equal(ours, theirs)


@given(
    st.integers(0, 999), st.integers(1, 5), st.integers(1, 150), st.integers(1, 9), st.booleans(), st.integers(1, 99)
)
@settings(max_examples=40, deadline=None)
def test_backends_agree_with_many_ties_and_excluded_items(seed, users, items, k, exclude, size):
    user, item = whole_numbers(seed, users, 3, 1), whole_numbers(seed + 1, items, 3, 1)
    generator = torch.Generator().manual_seed(seed)
    seen = None
    if exclude:
        count = int(torch.randint(users * items + 1, (1,), generator=generator))
        place = torch.randperm(users * items, generator=generator)[:count]
        seen = CSR.pattern(place // items, place % items, (users, items))
    rows = torch.randperm(users, generator=generator)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(topk, "BLOCK_SCORES", size)
        patch.setattr(topk, "REPAIRED_SCORES", size)
        patch.setattr(numpy_topk, "FEW", 0)
        patch.setattr(numpy_topk, "BLOCK", 2)
        patch.setattr(numpy_topk, "TILE", size)
        patch.setattr(numpy_topk, "CHUNK", 2 + size % 3)
        patch.setattr(numpy_topk, "YIELDED_SCORES", 4 * items)
        results = []
        for backend in BACKENDS:
            with use_backends(topk=backend):
                blocks = list(blocked_top_k(user, item, rows, k, seen))
            results.append([torch.cat(parts) for parts in zip(*blocks, strict=True)])
    for other in results[1:]:
        for ours, theirs in zip(results[0], other, strict=True):
            assert torch.equal(ours, theirs)


def test_backends_give_the_same_bits():
    generator = torch.Generator().manual_seed(0)
    users, items = torch.randn(300, 16, generator=generator), torch.randn(2000, 16, generator=generator)
    rows = torch.arange(300)
    results = []
    for backend in BACKENDS:
        with use_backends(topk=backend):
            results.append(list(blocked_top_k(users, items, rows, 20)))
    for blocks in zip(*results, strict=True):
        for other in blocks[1:]:
            assert all(torch.equal(ours, theirs) for ours, theirs in zip(blocks[0], other, strict=True))


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("width", [3, 300])
def test_several_threads_change_nothing(width, three_threads, monkeypatch):
    monkeypatch.setattr(numpy_topk, "BLOCK", 5)
    monkeypatch.setattr(numpy_topk, "TILE", 60)
    monkeypatch.setattr(numpy_topk, "FEW", 0)
    users, items = whole_numbers(0, 37, width, 2), whole_numbers(1, 200, width, 2)
    ((_, value, column),) = numpy_topk.rank_users(users, items, torch.arange(37), 5, None)
    assert torch.get_num_threads() == 3
    for ours, theirs in zip((value, column), reference_top_k(users @ items.T, 5), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("backend", BACKENDS)
def test_blocks_equal_one_block_and_excluded_items_come_last(backend, monkeypatch):
    generator = torch.Generator().manual_seed(0)
    users, items = torch.randn(7, 4, generator=generator), torch.randn(9, 4, generator=generator)
    seen_user, seen_item = torch.tensor([0, 0, 3, 6, 6]), torch.tensor([1, 8, 2, 0, 5])
    seen = CSR.pattern(seen_user, seen_item, (7, 9))
    rows = torch.tensor([6, 0, 3, 2])
    scores = users @ items.T
    scores[seen_user, seen_item] = -torch.inf
    value, column = reference_top_k(scores[rows], 9)
    for size in (1, 18, 1000):
        monkeypatch.setattr(topk, "BLOCK_SCORES", size)
        for exclude in (seen, ExcludedPairs.of(seen, rows)):
            with use_backends(topk=backend):
                blocks = list(blocked_top_k(users, items, rows, 9, exclude))
            assert len(blocks) == {1: 4, 18: 2, 1000: 1}[size]
            assert torch.equal(torch.cat([block[0] for block in blocks]), rows)
            torch.testing.assert_close(torch.cat([block[1] for block in blocks]), value)
            assert torch.equal(torch.cat([block[2] for block in blocks]), column)
    assert value[0, -2:].isneginf().all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_everything_seen_and_tables_that_want_gradients(backend):
    users, items = torch.ones(2, 1, requires_grad=True), torch.ones(50, 1, requires_grad=True)
    seen = CSR.pattern(torch.arange(2).repeat_interleave(50), torch.arange(50).repeat(2), (2, 50))
    with use_backends(topk=backend):
        ((_, value, column),) = blocked_top_k(users, items, torch.arange(2), 3, seen)
    assert value.isneginf().all()
    assert column.tolist() == [[0, 1, 2]] * 2


def test_excluded_pairs_follow_the_order_of_the_users():
    seen = CSR.pattern(torch.tensor([0, 0, 2, 3]), torch.tensor([4, 1, 3, 0]), (4, 5))
    pairs = ExcludedPairs.of(seen, torch.tensor([3, 1, 0]))
    assert (pairs.place.tolist(), pairs.item.tolist()) == ([0, 2, 2], [0, 1, 4])
    assert pairs.start.tolist() == [0, 1, 1, 3]
    assert [part.tolist() for part in pairs.block(1, 3)] == [[1, 1], [1, 4]]
    assert [part.tolist() for part in pairs.to(torch.device("cpu")).block(1, 2)] == [[], []]


def test_blocks_take_half_of_what_a_gpu_has_left(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (6000, 10_000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 3000)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 1000)
    room = 4000

    def new_empty(*shape):
        if shape[0] * shape[1] > room:
            raise torch.cuda.OutOfMemoryError
        return torch.empty(*shape)

    table = SimpleNamespace(is_cuda=True, device="cuda:0", element_size=lambda: 4, new_empty=new_empty)
    assert score_buffer(30, 100, table).shape == (30, 100)  # fits, nothing was asked
    assert score_buffer(70, 100, table).shape == (10, 100)  # does not
    monkeypatch.setattr(topk, "UNASKED_BLOCK", 500)
    assert score_buffer(30, 100, table).shape == (10, 100)
    assert score_buffer(7, 100, table).shape == (7, 100)
    assert score_buffer(30, 3000, table).shape == (1, 3000)
    monkeypatch.setattr(topk, "LARGEST_BLOCK", 500)
    assert score_buffer(30, 100, table).shape == (5, 100)


@pytest.mark.parametrize("shape", [(3, 50, 8), (16, 5000, 64), (9, 3001, 300)])
def test_nobodys_scores_depend_on_who_else_asks(shape):
    count, items, width = shape
    generator = torch.Generator().manual_seed(0)
    users, table = (torch.randn(size, width, generator=generator) for size in (count, items))
    everybody = torch.arange(count)
    hidden = ExcludedPairs.of(CSR.pattern(everybody, everybody, (count, items)), everybody)
    with use_backends(topk="numpy"):
        ((_, scores, columns),) = blocked_top_k(users, table, everybody, 10, hidden)
        for row in range(count):
            own = ExcludedPairs(torch.zeros(1, dtype=torch.long), torch.tensor([row]), torch.tensor([0, 1]))
            ((_, alone, which),) = blocked_top_k(users, table, torch.tensor([row]), 10, own)
            assert torch.equal(alone[0], scores[row])
            assert torch.equal(which[0], columns[row])
            assert row not in which
