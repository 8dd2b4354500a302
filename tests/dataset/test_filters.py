import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alignrec_geo.dataset.build import Tables, build_dataset
from alignrec_geo.dataset.filters import FilterConfig, at_least_rated, k_core
from alignrec_geo.dataset.splits import SplitConfig
from alignrec_geo.errors import InputError


def test_rating_then_duplicates_then_core_each_say_what_they_left_out() -> None:
    frame = pl.DataFrame(
        {
            "user": ["a", "a", "a", "b", "b", "c"],
            "item": ["x", "x", "y", "x", "y", "y"],
            "rating": [1.0, 5.0, 4.0, 4.0, 5.0, 4.0],
        }
    )
    data = build_dataset("d", Tables(frame), SplitConfig(), FilterConfig(min_rating=4, k_core=2))
    assert data.notes == [
        "1 rows with a rating below 4.0 were left out",  # the first a-x; the second is kept although it came later
        "1 rows outside the 2-core were left out",
    ]
    assert len(data.interactions) == 4
    doubled = build_dataset("d", Tables(pl.concat([frame, frame])), SplitConfig(), FilterConfig(min_rating=4))
    assert doubled.notes[1] == "5 duplicate rows of a user-item pair were merged"


def test_minimum_rating_needs_ratings() -> None:
    with pytest.raises(InputError, match="needs a rating column; name it with rating="):
        at_least_rated(pl.DataFrame({"user": ["a"], "item": ["x"]}), 3.0)


def test_core_removes_a_chain_one_link_after_the_other() -> None:
    chain = pl.DataFrame({"user": ["a", "b", "b", "c", "c"], "item": ["x", "x", "y", "y", "z"]})
    assert k_core(chain, 2).is_empty()


@settings(max_examples=40, deadline=None)
@given(st.sets(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1), st.integers(1, 4))
def test_core_is_the_largest_set_with_k_rows_each(edges: set[tuple[int, int]], k: int) -> None:
    frame = pl.DataFrame({"user": [str(u) for u, _ in edges], "item": [str(i) for _, i in edges]})
    left = set(edges)
    while True:  # the definition, one row at a time
        weak = [
            edge for edge in left if sum(u == edge[0] for u, _ in left) < k or sum(i == edge[1] for _, i in left) < k
        ]
        if not weak:
            break
        left.remove(weak[0])
    found = {(int(u), int(i)) for u, i in k_core(frame, k).rows()}
    assert found == left
