"""Metrics beyond hits, against plain loops and against answers worked out by hand."""

import math

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensor, FakeTensorMode

from alignrec_geo.dataset import Features, Interactions, Split, make_catalogue
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.evaluation import Evaluator
from alignrec_geo.evaluation.metrics import (
    METRICS,
    TESTED,
    Catalogue,
    CatalogueMetric,
    Measurement,
    Metric,
    choose_metrics,
    find_metric,
)
from alignrec_geo.evaluation.metrics.exposure import coverage, gini

CUTOFFS = (3, 8, 45)


def plain(data, tables, split):
    """Every metric of every list, one user and one item at a time."""
    pairs = data.interactions
    train, wanted = pairs.of(Split.TRAIN), pairs.of(split)
    degree = [int((train.item == i).sum()) for i in range(pairs.n_items)]
    active = {int(u) for u in train.user}
    content = []
    for i in range(pairs.n_items):
        parts = []
        for name in data.feature_names:
            own = data.features(name)
            mean = own.matrix[own.present].mean(axis=0)
            shifted = own.matrix[i] - mean if own.present[i] else 0 * mean
            parts.append(shifted / max(float(np.linalg.norm(shifted)), 1e-12))
        whole = np.concatenate(parts)
        content.append(whole / max(float(np.linalg.norm(whole)), 1e-12))
    scores = (tables.users.double() @ tables.items.double().T).numpy()
    users, values, lists = [], {}, {k: [] for k in CUTOFFS}
    for user in sorted({int(u) for u in wanted.user} & active):
        mine = [int(i) for i in train.item[train.user == user]]
        left_out = set(mine) | {
            int(i) for i in pairs.of(Split.VALIDATION).item[pairs.of(Split.VALIDATION).user == user]
        }
        positives = {int(i) for i in wanted.item[wanted.user == user]}
        order = [int(i) for i in np.argsort(-scores[user], kind="stable") if int(i) not in left_out]
        users.append(user)
        for k in CUTOFFS:
            top = order[:k]
            lists[k].append(top)
            with_content = [i for i in top if np.any(content[i])]
            cosines = [
                float(content[a] @ content[b]) for n, a in enumerate(with_content) for b in with_content[n + 1 :]
            ]
            first = next((rank for rank, i in enumerate(top, start=1) if i in positives), None)
            popularity = sum(degree[i] for i in top) / len(top)
            of_user = {
                "hit_rate": 0.0 if first is None else 1.0,
                "mrr": 0.0 if first is None else 1 / first,
                "novelty": sum(-math.log2(max(degree[i], 1) / len(active)) for i in top) / len(top),
                "arp": popularity,
                "popularity_lift": popularity / (sum(degree[i] for i in mine) / len(mine)) - 1,
                "diversity": 1 - sum(cosines) / len(cosines) if cosines else 0.0,
            }
            for name, value in of_user.items():
                values.setdefault(f"{name}@{k}", []).append(value)
    overall = {}
    for k in CUTOFFS:
        counts = [sum(i in top for top in lists[k]) for i in range(pairs.n_items)]
        gaps = sum(abs(a - b) for a in counts for b in counts)
        overall[f"coverage@{k}"] = sum(count > 0 for count in counts) / len(counts)
        overall[f"gini@{k}"] = gaps / (2 * len(counts) * sum(counts))
    return users, values, overall


@pytest.mark.parametrize("seed", range(3))
def test_equal_to_plain_loops(seed):
    data = make_catalogue(n_users=50, n_items=40, image_size=16, seed=seed)
    holes = np.arange(40) % 5 > 1
    third = np.random.default_rng(seed).normal(size=(40, 6)).astype(np.float32) * holes[:, None]
    data = data.with_features(Features("third", third, holes))
    generator = torch.Generator().manual_seed(seed)
    tables = Embeddings(torch.randn(50, 8, generator=generator), torch.randn(40, 8, generator=generator))
    users, values, overall = plain(data, tables, Split.TEST)
    got = Evaluator(data, Split.TEST, cutoffs=CUTOFFS, metrics=list(METRICS))(tables)
    assert got.users.tolist() == users
    for name, own in values.items():
        assert got.per_user[name].tolist() == pytest.approx(own, abs=2e-6), name
    assert got.overall == pytest.approx(overall)
    assert set(got.metrics) == {f"{name}@{k}" for name in METRICS for k in CUTOFFS}
    assert all(math.isfinite(value) for value in got.metrics.values())


def test_the_four_of_the_field_are_the_same_bits_beside_others():
    data = make_catalogue(n_users=50, n_items=40, image_size=16)
    tables = Embeddings(torch.randn(50, 8), torch.randn(40, 8))
    alone, among = Evaluator(data, "test")(tables), Evaluator(data, "test", metrics=["mrr@100", *METRICS])(tables)
    assert list(alone.per_user) == [
        f"{name}@{k}" for name in ("recall", "ndcg", "precision", "map") for k in (5, 10, 20, 50)
    ]
    for name, values in alone.per_user.items():
        assert torch.equal(values, among.per_user[name])
    assert "mrr@100" in among.per_user


def test_nothing_is_read_back_while_blocks_are_measured():
    """Under fake tensors, reading a value, or a shape that depends on one, raises; so a GPU is never waited for."""
    data = make_catalogue(n_users=30, n_items=30, image_size=16)
    catalogue = Catalogue(data.interactions, torch.randn(30, 6))
    facts = [catalogue.popularity, catalogue.profile_popularity, catalogue.information]  # once, before the blocks
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        catalogue.content = mode.from_tensor(catalogue.content)
        for name, fact in zip(("popularity", "profile_popularity", "information"), facts, strict=True):
            catalogue.__dict__[name] = mode.from_tensor(fact)
        measurement = Measurement(choose_metrics(list(METRICS), CUTOFFS), catalogue)
        for size in (4, 3):
            hits, listed = torch.zeros(size, 20, dtype=torch.bool), torch.ones(size, 20, dtype=torch.bool)
            users, items = torch.zeros(size, dtype=torch.long), torch.zeros(size, 20, dtype=torch.long)
            measurement.add(hits, torch.ones(size, dtype=torch.long), users, items, listed)
        values = measurement.per_user()
        with pytest.raises(DataDependentOutputException):
            float(values["recall@3"][0])
    assert all(isinstance(value, FakeTensor) and len(value) == 7 for value in values.values())


def test_exposure_by_hand():
    assert float(coverage(torch.tensor([0, 3, 0, 1]))) == 0.5
    assert float(gini(torch.tensor([2, 2, 2, 2]))) == 0.0
    assert float(gini(torch.tensor([0, 0, 0, 7]))) == pytest.approx(3 / 4)  # all to one of n items: 1 - 1/n
    assert float(gini(torch.tensor([1, 3]))) == pytest.approx(1 / 4)
    assert float(gini(torch.tensor([0, 0]))) == 0.0


def test_popular_items_are_no_news():
    """Ten users, all have item 0, one has item 1, user 9 has nothing else; everybody is told items 1 and 2."""
    user = np.array([*range(10), 0, 0, 9])
    item = np.array([0] * 10 + [1, 3, 2])
    split = np.array([0] * 11 + [2, 2], dtype=np.int8)
    pairs = Interactions(user, item, split, n_users=10, n_items=4)
    tables = Embeddings(torch.ones(10, 1), torch.tensor([[9.0], [8.0], [7.0], [6.0]]))
    got = Evaluator(pairs, Split.TEST, cutoffs=2, metrics=["novelty", "arp", "popularity_lift", "coverage"])(tables)
    assert got.users.tolist() == [0, 9]  # user 0 gets items 2 and 3, user 9 gets items 1 and 2
    assert got.per_user["novelty@2"].tolist() == pytest.approx([math.log2(10), math.log2(10)])
    assert got.per_user["arp@2"].tolist() == [0.0, 0.5]
    assert got.per_user["popularity_lift@2"].tolist() == pytest.approx([-1.0, 0.5 / 10 - 1])
    assert got.overall == {"coverage@2": 0.75}


def test_equal_content_has_no_diversity_and_no_content_none():
    data = make_catalogue(n_users=30, n_items=30, image_size=16)
    two = np.where(np.arange(30)[:, None] < 15, [[1.0, 0.0]], [[-1.0, 0.0]]).astype(np.float32)
    sides = data.with_features(
        Features("image", two, np.ones(30, dtype=bool)), Features("text", two, np.ones(30, dtype=bool))
    )
    one_side = Embeddings(torch.ones(30, 1), torch.where(torch.arange(30) < 15, 1.0, -1.0)[:, None])
    got = Evaluator(sides, "test", cutoffs=4, metrics="diversity")(one_side)
    assert float(got.per_user["diversity@4"].abs().max()) < 1e-6  # nobody has seen more than ten of the fifteen
    absent = (Features(name, two * 0, np.zeros(30, dtype=bool)) for name in ("image", "text"))
    got = Evaluator(data.with_features(*absent), "test", cutoffs=4, metrics="diversity")(one_side)
    assert got.metrics == {"diversity@4": 0.0}


def test_a_metric_of_ones_own():
    first = Metric("first-hit", lambda ranking, k: ranking.hits[:, 0].double(), cutoffs=(1,))
    never = CatalogueMetric("never", lambda counts: (counts == 0).sum())
    data = make_catalogue(n_users=30, n_items=30, image_size=16)
    tables = Embeddings(torch.randn(30, 4), torch.randn(30, 4))
    got = Evaluator(data, "test", cutoffs=5, metrics=[first, never, "recall@1"])(tables)
    assert list(got.metrics) == ["first-hit@1", "recall@1", "never@5"]
    assert ((got.per_user["first-hit@1"] > 0) == (got.per_user["recall@1"] > 0)).all()


def test_a_package_offers_a_metric(monkeypatch):
    class Entry:
        name, value = "first-hit", "a_package:FIRST"

        def __init__(self, metric):
            self.load = lambda: metric

    found = Metric("first-hit", lambda ranking, k: ranking.hits[:, 0].double())
    registry = "alignrec_geo.plugins.entry_points"
    monkeypatch.setattr(registry, lambda group: [Entry(found)] if group == "alignrec_geo.metrics" else [])
    assert find_metric("first-hit") is found
    for wrong in (len, Metric("other", found.function)):
        monkeypatch.setattr(registry, lambda group, wrong=wrong: [Entry(wrong)])
        with pytest.raises(InputError, match=r"metric 'first-hit' of a_package:FIRST is not a Metric of that name"):
            find_metric("first-hit")
    with pytest.raises(InputError, match=r"unknown metric \(got 'rekall'\); there are: recall, .*first-hit"):
        find_metric("rekall")


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ("ndcg@ten", "a metric's cutoff is a whole number, as in 'ndcg@10' \\(got 'ndcg@ten'\\)"),
        ("ndcg@0", "different whole numbers of at least 1"),
        ([], "no metric given"),
        (7, r"metrics are names .* \(got 7\)"),
        ([7], r"metrics are names .* \(got 7\)"),
        ([Metric("recall", lambda ranking, k: ranking.found[:, 0]), "recall"], "two metrics are called 'recall'"),
    ],
)
def test_what_is_no_metric(metrics, message):
    with pytest.raises(InputError, match=message):
        choose_metrics(metrics, (5,))


@pytest.mark.parametrize("name", ["Recall", "a b", "x@5", "", 3])
def test_names_of_metrics(name):
    with pytest.raises(InputError, match="a metric's name"):
        Metric(name, lambda ranking, k: ranking.hits[:, 0])
    with pytest.raises(InputError, match="must be callable"):
        CatalogueMetric("never", None)
    with pytest.raises(InputError, match="different whole numbers"):
        Metric("never", len, cutoffs=())


def test_diversity_needs_content():
    data = make_catalogue(n_users=30, n_items=30, image_size=16)
    with pytest.raises(InputError, match="metric 'diversity' compares items by their features; pass the data set"):
        Evaluator(data.interactions, "test", metrics=["recall", "diversity"])
    bare = type(data)(data.name, data.interactions, data.users, data.items)
    with pytest.raises(InputError, match=r"metric 'diversity' compares items by .* data set '.*' has none"):
        Evaluator(bare, "test", metrics="diversity@10")


def test_what_models_are_compared_by_is_higher_the_better():
    assert all(find_metric(name.partition("@")[0]).higher_is_better for name in TESTED)
    assert {name for name, metric in METRICS.items() if not metric.higher_is_better} == {
        "gini",
        "arp",
        "popularity_lift",
    }
