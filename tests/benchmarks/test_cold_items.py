import pytest
import torch
from quality import cold_items

from alignrec_geo.dataset import SplitConfig, make_catalogue
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.embeddings import Embeddings


@pytest.fixture(scope="module")
def data():
    return make_catalogue(n_users=90, n_items=300, image_size=16).with_split(SplitConfig(rule="cold-items", test=0.2))


@pytest.fixture(scope="module")
def ranking(data):
    return cold_items.ColdRanking(data, Split.TEST)


def tables(data):
    generator = torch.Generator().manual_seed(0)
    sizes = (data.interactions.n_users, data.interactions.n_items)
    return Embeddings(*(torch.randn(size, 8, generator=generator) for size in sizes))


def test_the_variant_with_nothing_changed_is_the_rule(data):
    rule = cold_items.by_content(tables(data), data, ["image", "text"], 5)
    plain = cold_items.variant(tables(data), data, ["image", "text"], 5)
    assert torch.allclose(plain.items, rule.items, atol=1e-5)
    for options in cold_items.VARIANTS.values():
        other = cold_items.variant(tables(data), data, ["image", "text"], 5, **options)
        assert not torch.allclose(other.items, rule.items, atol=1e-3), options


def test_both_rankings(data, ranking):
    test = data.interactions.of(Split.TEST)
    wanted = torch.zeros(test.n_users, test.n_items)
    wanted[test.user, test.item] = 1.0
    oracle = ranking.of(Embeddings(wanted, torch.eye(test.n_items)))
    assert oracle["all"]["mean"] == oracle["cold_only"]["mean"] == pytest.approx(1.0)
    degree = torch.from_numpy(data.interactions.of(Split.TRAIN).item_degree()).float()
    popular = ranking.of(Embeddings(torch.ones(test.n_users, 1), degree[:, None]))
    assert popular["all"]["mean"] == popular["cold_in_top"] == 0.0
    assert popular["cold_only"]["mean"] > 0


def test_chance_and_popularity_are_what_random_scores_reach(data, ranking):
    chance = ranking.chance()
    assert chance["cold_only"]["mean"] == pytest.approx(20 / len(ranking.items))
    generator = torch.Generator().manual_seed(0)
    n_users, n_items = data.interactions.n_users, data.interactions.n_items
    random = ranking.of(Embeddings(torch.rand(n_users, n_items, generator=generator), torch.eye(n_items)))
    for key in ("all", "cold_only"):
        assert random[key]["mean"] == pytest.approx(chance[key]["mean"], abs=4 * random[key]["standard_error"])
    popular = cold_items.popularity(data, ranking, seed=0)
    assert popular["all"]["mean"] == 0.0
    assert popular["cold_only"]["mean"] == pytest.approx(
        chance["cold_only"]["mean"], abs=4 * popular["cold_only"]["standard_error"]
    )


def test_another_split_is_refused(data):
    with pytest.raises(SystemExit, match="cold-items"):
        cold_items.ColdRanking(data.with_split(SplitConfig(rule="random")), Split.TEST)
