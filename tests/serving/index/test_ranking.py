"""What is found through an index: equal to an exact ranking where all lists are looked through, never too little."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alignrec_geo.serving.index import chosen, search
from alignrec_geo.serving.index.build import build_index, overlap
from alignrec_geo.serving.index.ranking import IndexRanking
from alignrec_geo.serving.items_by_user import ItemsByUser
from alignrec_geo.serving.ranking import Ranking

pytest.importorskip("faiss")

USERS, ITEMS, DIM = 60, 1500, 8


def drawn(n, seed):
    return torch.randn(n, DIM, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("index")
    items = drawn(ITEMS, 0) * torch.linspace(0.2, 3, ITEMS)[:, None]  # as of a trained table: of all lengths
    return (
        build_index(folder / "a.lists", items, drawn(USERS, 1), np.arange(USERS), none_seen()),
        items,
        drawn(USERS, 1),
    )


def none_seen():
    return ItemsByUser(np.zeros(USERS + 1, dtype=np.int64), np.empty(0, dtype=np.int32))


def with_all_lists(index, call):
    before, index.probes = index.probes, len(index.sizes)
    try:
        return call()
    finally:
        index.probes = before


@given(
    seed=st.integers(0, 10**6),
    share=st.sampled_from([None, 0.001, 0.02, 0.3, 0.9]),
    beside=st.sampled_from([0, 1, 40]),
    hiding=st.sampled_from([0, 3, 900]),
    k=st.sampled_from([1, 7, 50, 2000]),
    n=st.integers(1, 9),
)
@settings(max_examples=60, deadline=None)
def test_with_all_lists_it_is_the_exact_ranking(built, seed, share, beside, hiding, k, n):
    """Filters, hidden pairs and items that the index does not know, in all combinations."""
    found, items, users = built
    rng = np.random.default_rng(seed)
    table = torch.cat([items, drawn(beside, seed)])
    other = np.arange(len(table)) >= ITEMS
    other[rng.integers(0, ITEMS, beside)] = True
    table[torch.from_numpy(other)] = drawn(int(other.sum()), seed + 1)
    allowed = None if share is None else np.flatnonzero(rng.random(len(table)) < share)
    allowed = np.array([3]) if allowed is not None and not len(allowed) else allowed
    rows = rng.integers(0, USERS, n)
    place = np.repeat(np.arange(n), hiding)
    hidden = [(place, rng.integers(0, len(table), len(place)))] if hiding else []
    wanted_scores, wanted = Ranking(users, table, allowed).best(rows, k, hidden)
    ranking = IndexRanking(found.index, users, table, allowed, other)
    scores, got = with_all_lists(found.index, lambda: ranking.best(rows, k, hidden))
    assert scores.shape == wanted_scores.shape
    assert np.allclose(scores, wanted_scores, atol=1e-4)
    there = np.isfinite(scores)
    assert np.array_equal(got[there], wanted[there])


def test_few_lists_give_full_lists_of_items(built):
    found, items, users = built
    rows, hidden = np.arange(USERS), [(np.repeat(np.arange(USERS), 30), np.tile(np.arange(30), USERS))]
    before, found.index.probes = found.index.probes, 1
    try:
        scores, got = IndexRanking(found.index, users, items).best(rows, 60, hidden)
    finally:
        found.index.probes = before
    assert np.isfinite(scores).all()
    assert got.min() >= 30
    assert (np.diff(scores, axis=1) <= 0).all()
    assert all(len(set(row)) == 60 for row in got.tolist())
    products = (users.numpy() @ items.numpy().T)[rows[:, None], got]
    assert np.allclose(scores, products, atol=1e-5)  # of the table, not of its halves


def test_recall_is_that_of_other_queries(built):
    found, items, users = built
    exact = Ranking(users, items).best(np.arange(USERS), 50)[1]
    got = IndexRanking(found.index, users, items).best(np.arange(USERS), 50)[1]
    assert found.queries == USERS // 2
    assert overlap(got, exact) > 0.97
    assert found.recall > 0.97
    assert 1 < found.index.probes < len(found.index.sizes)


def test_the_same_table_gives_the_same_index(built, tmp_path):
    found, items, users = built
    again = build_index(tmp_path / "a.lists", items, users, np.arange(USERS), none_seen())
    assert np.array_equal(again.index.list_of, found.index.list_of)
    assert again.index.probes == found.index.probes
    assert again.recall == found.recall


@pytest.mark.parametrize("count", [1, 3, 40])
def test_tiny_tables(tmp_path, count):
    items, users = drawn(count, 3), drawn(5, 4)
    index = build_index(tmp_path / "a.lists", items, users, np.arange(5), none_seen_of(5)).index
    scores, got = IndexRanking(index, users, items).best(np.arange(5), 3)
    wanted_scores, wanted = Ranking(users, items).best(np.arange(5), 3)
    assert np.allclose(scores, wanted_scores, atol=1e-5)
    assert np.array_equal(got, wanted)


def none_seen_of(n):
    return ItemsByUser(np.zeros(n + 1, dtype=np.int64), np.empty(0, dtype=np.int32))


def test_numbers_beyond_halves(tmp_path):
    items, users = drawn(400, 5) * 1e6, drawn(5, 6) * 1e-3
    index = build_index(tmp_path / "a.lists", items, users, np.arange(5), none_seen_of(5)).index
    index.probes = len(index.sizes)
    got = IndexRanking(index, users, items).best(np.arange(5), 20)[1]
    assert np.array_equal(got, Ranking(users, items).best(np.arange(5), 20)[1])


def test_few_allowed_items_are_ranked_exactly(built, monkeypatch):
    found, items, users = built
    assert isinstance(chosen.chosen_ranking(found.index, users, items, np.arange(700)), Ranking)
    assert isinstance(chosen.chosen_ranking(None, users, items), Ranking)
    monkeypatch.setattr(chosen, "FEW", 100)
    assert isinstance(chosen.chosen_ranking(found.index, users, items, np.arange(700)), IndexRanking)


def test_nothing_asked_or_nothing_allowed_finds_nothing(built):
    made, items, users = built
    index = made.index
    assert (index.search(users.numpy()[:3], 5, among=np.zeros(ITEMS, dtype=bool)) == -1).all()
    ranking = IndexRanking(index, users, items)
    scores, found = ranking.best(np.empty(0, dtype=np.int64), 5)
    assert scores.shape == found.shape == (0, 5)


def test_with_a_filter_more_lists_are_looked_through_until_enough_allowed_items_were_seen(built):
    """The most promising lists that hold any, at least FILTERED times as many, and more where they hold few."""
    made, _, users = built
    index = made.index
    queries = users.numpy()[:8]
    few = np.arange(ITEMS) % 7 == 0
    held = np.bincount(index.list_of[few], minlength=len(index.sizes))
    products = queries @ index.centres.T
    for probes in (1, 2):
        lists = index._lists(queries, held, probes, filtered=True)
        assert lists.shape[1] < np.count_nonzero(held)  # not simply all of them
        for row, chosen_lists in enumerate(lists):
            taken = chosen_lists[chosen_lists >= 0]
            best = np.argsort(-np.where(held > 0, products[row], -np.inf))[: len(taken)]
            assert set(taken.tolist()) == set(best.tolist())
            assert len(taken) >= search.FILTERED * probes
            goal = search.FILTERED * probes * ITEMS / len(index.sizes)
            assert held[taken].sum() >= min(goal, held.sum()) or len(taken) == np.count_nonzero(held)
    found = index.search(queries, 5, among=few, probes=1)
    assert few[found[found >= 0]].all()
