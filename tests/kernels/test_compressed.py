import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alignrec_geo.kernels import compressed, counting_sort
from alignrec_geo.kernels.compressed import compress
from alignrec_geo.kernels.counting_sort import grouped, row_numbers

matrices = st.tuples(st.integers(0, 99), st.integers(1, 9), st.integers(1, 9), st.integers(0, 40))


def entries(case, dtype=torch.float32):
    seed, rows, cols, nnz = case
    generator = torch.Generator().manual_seed(seed)
    row = torch.randint(rows, (nnz,), generator=generator)
    col = torch.randint(cols, (nnz,), generator=generator)
    return row, col, torch.rand(nnz, generator=generator, dtype=dtype), (rows, cols)


def by_keys(row, col, value, shape):
    """The same by a sort of one key per entry."""
    key, place = torch.unique(row * shape[1] + col, return_inverse=True)
    merged = torch.zeros(len(key)).index_add_(0, place, value)
    counts = torch.bincount(key // shape[1], minlength=shape[0])
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)]), (key % shape[1]).int(), merged


@pytest.fixture(params=[1 << 24, 7, 1])
def block(request, monkeypatch):
    monkeypatch.setattr(counting_sort, "BLOCK", request.param)
    return request.param


@given(case=matrices)
@settings(max_examples=40, deadline=None)
@pytest.mark.parametrize("block", [1 << 24, 7, 1])
def test_equals_a_sort_by_keys_bit_for_bit_in_both_directions(case, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting_sort, "BLOCK", block)
        row, col, value, shape = entries(case)
        made = compress(row, col, value, shape)
        for ours, theirs in zip(made, by_keys(row, col, value, shape), strict=True):
            assert torch.equal(ours, theirs)
        for ours, theirs in zip(made.transpose(shape[1]), by_keys(col, row, value, (shape[1], shape[0])), strict=True):
            assert torch.equal(ours, theirs)
        places = compress(row, col, None, shape)
        assert torch.equal(places.crow, made.crow)
        assert torch.equal(places.col, made.col)
        assert places.value is None


def test_what_is_sorted_is_taken_as_it_comes(monkeypatch):
    row, col = torch.tensor([0, 0, 2]), torch.tensor([1, 3, 0])
    monkeypatch.setattr(compressed, "grouped", lambda *_: pytest.fail("sorted again"))
    assert compress(row, col, None, (3, 4)).crow.tolist() == [0, 2, 2, 3]


def test_groups_keep_their_order_whatever_the_block(block):
    keys = torch.tensor([2, 0, 2, 1, 0, 2])
    start, (place,) = grouped(keys, 4, [torch.arange(6)])
    assert start.tolist() == [0, 2, 3, 6, 6]
    assert place.tolist() == [1, 4, 3, 0, 2, 5]


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_rows_of_every_part(dtype):
    crow = torch.tensor([0, 0, 3, 3, 4, 9, 9], dtype=dtype)
    whole = torch.repeat_interleave(torch.arange(6), crow.diff().long())
    for start in range(9):
        for stop in range(start + 1, 10):
            assert torch.equal(row_numbers(crow, slice(start, stop)), whole[start:stop])


def test_less_than_two_entries_in_any_order():
    crow, col, value = compress(torch.tensor([1]), torch.tensor([2]), torch.tensor([5.0]), (3, 4))
    assert (crow.tolist(), col.tolist(), value.tolist()) == ([0, 0, 1, 1], [2], [5.0])
    crow, col, _ = compress(torch.empty(0).long(), torch.empty(0).long(), None, (2, 4))
    assert (crow.tolist(), col.tolist()) == ([0, 0, 0], [])
