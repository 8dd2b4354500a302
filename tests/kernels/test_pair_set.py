import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from alignrec_geo.kernels import pair_set
from alignrec_geo.kernels.pair_set import PairSet

keys = st.lists(st.integers(0, 2**40), max_size=60)


@given(keys, keys)
def test_equals_a_python_set(held, asked):
    both = asked + held[::2]
    got = PairSet(torch.tensor(held, dtype=torch.long)).contains(torch.tensor(both, dtype=torch.long))
    assert got.tolist() == [key in set(held) for key in both]


def test_dense_neighbouring_keys_and_shapes():
    held = torch.arange(0, 3000, 3)
    asked = torch.arange(3000).view(3, 1000)
    assert torch.equal(PairSet(held).contains(asked), asked % 3 == 0)


@given(keys, keys)
def test_binary_search_alone_says_the_same(held, asked):
    pairs, both = PairSet(torch.tensor(held, dtype=torch.long)), torch.tensor(asked + held[::2], dtype=torch.long)
    assert torch.equal(pairs.search(both), pairs.contains(both))


@given(keys, keys)
def test_too_many_for_tables_and_keys_that_lie_apart(held, asked):
    both = torch.tensor(asked + held[::2], dtype=torch.long)
    apart = torch.tensor([held, held], dtype=torch.long).T.contiguous()[:, 0] if held else torch.empty(0).long()
    kept = apart.clone()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pair_set, "_MOST_BITS", 0)
        pairs = PairSet(apart)
    assert not pairs._flags or len(held) <= 1
    assert torch.equal(apart, kept)  # only what lies side by side is taken over and sorted in place
    assert pairs.contains(both).tolist() == [key in set(held) for key in both.tolist()]
    assert pairs.search(both).tolist() == [key in set(held) for key in both.tolist()]
