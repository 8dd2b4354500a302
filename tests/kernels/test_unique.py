import torch
from hypothesis import given
from hypothesis import strategies as st

from alignrec_geo.kernels.unique import unique_with_counts


@given(st.lists(st.integers(0, 5), max_size=30))
def test_first_occurrences_and_counts(ids):
    index, counts = unique_with_counts(torch.tensor(ids, dtype=torch.long))
    distinct = sorted(set(ids))
    assert index.tolist() == [ids.index(value) for value in distinct]
    assert counts.tolist() == [ids.count(value) for value in distinct]
