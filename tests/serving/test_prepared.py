"""Requests cost one product and one selection: what they need is made once."""

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alignrec_geo.dataset.rows_by_id import RowsById
from alignrec_geo.serving.items_by_user import ItemsByUser, excluded
from alignrec_geo.serving.ranking import Ranking
from tests.serving.drawn import drawn


def test_after_the_first_request_nothing_is_done_for_all_users_or_pairs(monkeypatch):
    top = drawn()
    asked = (["u3", "nobody", "u39"], 5, "popular")
    first = top.recommend(*asked)

    def work(*given, **options):
        raise AssertionError("work for all users, items or pairs")

    for place in (
        "alignrec_geo.dataset.interactions.Interactions.of",
        "alignrec_geo.dataset.interactions.Interactions.item_degree",
        "alignrec_geo.dataset.interactions.Interactions.user_degree",
        "alignrec_geo.serving.items_by_user.ItemsByUser.of",
        "alignrec_geo.serving.candidates.Candidates.trained",
        "polars.Series.to_list",
        "polars.DataFrame.join",
    ):
        monkeypatch.setattr(place, work)
    assert top.recommend(*asked) == first
    assert len(top.recommend("u7", k=3)["u7"]) == 3


@given(pairs=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), max_size=40), rows=st.lists(st.integers(0, 5)))
@settings(deadline=None, max_examples=60)
def test_items_by_user_are_the_pairs(pairs, rows):
    user, item = (np.array([pair[side] for pair in pairs], dtype=np.int64) for side in (0, 1))
    place, found = ItemsByUser.of(user, item, 6).of_rows(np.array(rows, dtype=np.int64))
    expected = [(n, i) for n, row in enumerate(rows) for u, i in pairs if u == row]
    assert list(zip(place.tolist(), found.tolist(), strict=True)) == expected
    start = excluded(place, found, len(rows)).start.tolist()
    assert start == [sum(n < end for n, _ in expected) for end in range(len(rows) + 1)]


def test_one_by_one_and_many_at_once_find_the_same_rows():
    ids = pl.Series(["b", "a", "é", "a "])
    rows, asked = RowsById(ids), pl.Series(["a", "c", "é", "a", ""])
    assert rows.many(asked).tolist() == [rows.get(name) for name in asked] == [1, -1, 2, 1, -1]
    assert rows.many(ids).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("allowed", [None, [3], [0, 1, 7, 299], list(range(0, 300, 2))])
@pytest.mark.parametrize("count", [1, 3, 200])
def test_a_ranking_is_sorting_everything(allowed, count):
    generator = torch.Generator().manual_seed(count)
    users = torch.randint(-2, 3, (count, 4), generator=generator).float()  # many equal scores
    items = torch.randint(-2, 3, (300, 4), generator=generator).float()
    rng = np.random.default_rng(0)
    hidden = [(np.sort(rng.integers(0, count, size)), rng.integers(0, 300, size)) for size in (40 * count, 15 * count)]
    rows = np.arange(count)[::-1].copy()
    scores, found = Ranking(users, items, None if allowed is None else np.array(allowed)).best(rows, 7, hidden)
    whole = users[rows.tolist()] @ items.T
    for place, item in hidden:
        whole[place, item] = -torch.inf
    whole = whole if allowed is None else whole[:, allowed]
    value, column = torch.sort(whole, dim=1, descending=True, stable=True)
    assert np.array_equal(scores, value[:, :7].numpy())
    column = column[:, :7].numpy()
    assert np.array_equal(found, column if allowed is None else np.array(allowed)[column])
