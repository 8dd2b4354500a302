import numpy as np
import torch

from alignrec_geo.models import RandomScores, RandomScoresConfig
from alignrec_geo.testing import parity_by_content
from alignrec_geo.training import fit
from tests.golden_numbers import toy_graph


def test_the_seed_decides_and_the_global_generator_is_left_alone():
    first = RandomScores(toy_graph(), seed=3).embeddings()
    torch.rand(5)
    again, other = (RandomScores(toy_graph(), seed=seed).embeddings() for seed in (3, 4))
    for ours, same, another in zip(first, again, other, strict=True):
        assert torch.equal(ours, same)
        assert not torch.equal(ours, another)


def test_users_do_not_share_one_ranking():
    users, items = RandomScores(toy_graph(), config=RandomScoresConfig(dim=32)).embeddings()
    assert users.shape == (60, 32)
    assert items.shape == (40, 32)
    best = (users @ items.T).argmax(dim=1)
    assert len(best.unique()) > 20
    np.testing.assert_allclose(users.std(), 1.0, rtol=0.05)


def test_nothing_is_trained_and_chance_is_what_it_finds(tmp_path):
    data = parity_by_content(users=400)
    model = RandomScores.from_dataset(data, features=["signal"], seed=1)
    before = model.embeddings().users.clone()
    result = fit(model, out=tmp_path / "run")
    assert result.epochs == 0
    assert torch.equal(result.embeddings.users, before)
    assert abs(result.metrics["recall@20"] - 20 / 56) < 0.06  # 56 items stay in the list of every user
    assert model.features == ()
    assert repr(model) == "RandomScores(users=400, items=60)"
