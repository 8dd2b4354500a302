import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alignrec_geo.dataset import Interactions, Split
from alignrec_geo.errors import InputError
from alignrec_geo.training.sampling import REJECTIONS, TripletSampler, _TakenPlaces


def interactions(seed: int, n_users: int, n_items: int, share: float) -> Interactions:
    rng = np.random.default_rng(seed)
    user, item = np.nonzero(rng.random((n_users, n_items)) < share)
    return Interactions(user, item, rng.integers(0, 3, len(user)).astype(np.int8), n_users, n_items)


@given(st.integers(0, 999), st.integers(1, 8), st.integers(2, 12), st.floats(0.1, 0.95), st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_an_epoch_visits_every_pair_once_with_negatives_from_training(seed, n_users, n_items, share, batch_size):
    pairs = interactions(seed, n_users, n_items, share)
    train = pairs.of(Split.TRAIN)
    known = set(zip(train.user.tolist(), train.item.tolist(), strict=True))
    candidates = set(train.item.tolist())
    full = {u for u in range(n_users) if sum(v == u for v, _ in known) == len(candidates)}
    expected = sorted(pair for pair in known if pair[0] not in full)
    if not expected:
        with pytest.raises(InputError):
            TripletSampler(pairs, batch_size)
        return
    sampler = TripletSampler(pairs, batch_size)
    batches = list(sampler.epoch(torch.Generator().manual_seed(seed)))
    assert len(batches) == sampler.steps
    assert all(len(batch.users) == batch_size for batch in batches[:-1])
    assert all(batch.nominal_size == batch_size for batch in batches)
    user, positive, negative = (torch.cat([batch[n] for batch in batches]).tolist() for n in range(3))
    assert sorted(zip(user, positive, strict=True)) == expected
    assert not known & set(zip(user, negative, strict=True))
    assert set(negative) <= candidates


def test_negatives_are_uniform():
    user, item = np.array([0] * 2 + [1] * 8), np.array([0, 1, *range(8)])
    pairs = Interactions(user, item, np.zeros(10, dtype=np.int8), 2, 9)
    sampler = TripletSampler(pairs, 4)
    generator = torch.Generator().manual_seed(0)
    drawn = [batch.negatives for _ in range(3000) for batch in sampler.epoch(generator)]
    counts = torch.bincount(torch.cat(drawn), minlength=9)
    assert counts[[0, 1, 8]].tolist() == [0, 0, 0]  # seen by user 0; never in training
    share = counts[2:8] / counts.sum()
    torch.testing.assert_close(share, torch.full((6,), 1 / 6), rtol=0.1, atol=0.0)


def test_order_changes_from_epoch_to_epoch_and_follows_the_seed():
    sampler = TripletSampler(interactions(0, 8, 12, 0.6), 100)
    generator = torch.Generator().manual_seed(5)
    first, second = next(iter(sampler.epoch(generator))), next(iter(sampler.epoch(generator)))
    assert not torch.equal(first.users, second.users)
    again = next(iter(sampler.epoch(torch.Generator().manual_seed(5))))
    assert torch.equal(first.negatives, again.negatives)


def test_empty_training_split():
    pairs = Interactions(np.array([0]), np.array([0]), np.array([2], dtype=np.int8), 1, 1)
    with pytest.raises(InputError, match="training split is empty"):
        TripletSampler(pairs, 4)


def test_nothing_to_rank_below():
    user, item = np.array([0, 0, 2, 2]), np.array([1, 3, 1, 3])
    pairs = Interactions(user, item, np.full(4, Split.TRAIN, dtype=np.int8), n_users=4, n_items=5)
    with pytest.raises(InputError, match=r"every user \(2 of them\) has every item \(2\); at least one pair must"):
        TripletSampler(pairs, 4)


def one_with_nearly_all(n_items: int = 400, lacks: int = 1) -> Interactions:
    """User 0 has all but the last items; each of those has a user of its own."""
    user = np.array([0] * (n_items - lacks) + list(range(1, lacks + 1)))
    item = np.array([*range(n_items - lacks), *range(n_items - lacks, n_items)])
    return Interactions(user, item, np.zeros(len(user), dtype=np.int8), lacks + 1, n_items)


def test_a_user_with_nearly_all_items_is_not_drawn_for_by_trial(monkeypatch):
    sampler = TripletSampler(one_with_nearly_all(), 4096)
    draws = []
    monkeypatch.setattr(sampler, "_draw", lambda n, g, draw=sampler._draw: draws.append(n) or draw(n, g))
    (batch,) = sampler.epoch(torch.Generator().manual_seed(0))
    assert set(batch.negatives[batch.users == 0].tolist()) == {399}
    assert len(draws) <= REJECTIONS + 1


def test_what_is_lacking_is_drawn_uniformly():
    sampler = TripletSampler(one_with_nearly_all(2000, lacks=5), 4096)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.cat([b.negatives[b.users == 0] for _ in range(10) for b in sampler.epoch(generator)])
    counts = torch.bincount(drawn, minlength=2000)[1995:]
    assert int(counts.sum()) == len(drawn)
    torch.testing.assert_close(counts / counts.sum(), torch.full((5,), 0.2), rtol=0.05, atol=0.0)


@given(st.integers(0, 999), st.integers(2, 12))
@settings(max_examples=60, deadline=None)
def test_free_places_by_rank(seed, places):
    rng = np.random.default_rng(seed)
    user, place = np.nonzero(rng.random((3, places)) < 0.7)
    order = rng.permutation(len(user))
    taken = _TakenPlaces(user[order], place[order], 3)
    for row in range(3):
        free = sorted(set(range(places)) - set(place[user == row].tolist()))
        found = taken.free_place(torch.full((len(free),), row), torch.arange(len(free)))
        assert found.tolist() == free


def test_ordinary_users_take_the_draws_they_always_took():
    sampler = TripletSampler(interactions(0, 8, 12, 0.6), 100)
    (batch,) = sampler.epoch(torch.Generator().manual_seed(5))
    generator = torch.Generator().manual_seed(5)
    order = torch.randperm(len(sampler.users), generator=generator)
    users, drawn = sampler.users[order], sampler._draw(len(order), generator)
    while (seen := torch.nonzero(sampler._seen(users, drawn))[:, 0]).numel():
        drawn[seen] = sampler._draw(len(seen), generator)
    assert torch.equal(batch.negatives, drawn)
