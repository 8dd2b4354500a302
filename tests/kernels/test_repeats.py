import torch
from hypothesis import given
from hypothesis import strategies as st

from alignrec_geo.kernels.repeats import find_repeats


@given(st.lists(st.integers(0, 5), max_size=30))
def test_first_occurrences_and_counts(ids):
    first, times = find_repeats(torch.tensor(ids, dtype=torch.long))
    distinct = sorted(set(ids))
    assert first.tolist() == [ids.index(value) for value in distinct]
    assert times.tolist() == [ids.count(value) for value in distinct]
