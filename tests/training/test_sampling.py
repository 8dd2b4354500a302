import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alignrec_geo.dataset import Interactions, Split
from alignrec_geo.errors import InputError
from alignrec_geo.training.sampling import TripletSampler


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
