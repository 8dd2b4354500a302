import numpy as np
import pytest
import torch

from alignrec_geo.dataset import Interactions, Split, make_catalogue
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.evaluation import Evaluator, Protocol
from alignrec_geo.evaluation.groups import group_metrics, popularity_groups


def _random_tables(pairs: Interactions) -> Embeddings:
    generator = torch.Generator().manual_seed(3)
    return Embeddings(
        torch.randn(pairs.n_users, 8, generator=generator), torch.randn(pairs.n_items, 8, generator=generator)
    )


@pytest.mark.parametrize(
    ("degree", "groups"),
    [
        ([3, 3, 3], [0, 1, 2]),
        ([4, 3, 2], [0, 1, 2]),  # 4 ≥ 3; 4 + 3 ≥ 6
        ([1, 1, 1, 1, 1, 1, 0], [0, 0, 1, 1, 2, 2, 3]),
        ([100, 1, 1], [0, 2, 2]),  # one item holds more than two thirds: no mid
        ([0, 0], [3, 3]),
    ],
)
def test_popularity_groups(degree, groups):
    assert popularity_groups(np.array(degree)).tolist() == groups


def test_by_hand():
    # items 0 (3 training pairs), 1 (2), 2 (1), 3 (none): head, mid, tail, cold. Ranking of everybody: 3 2 1 0
    train = [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (0, 2)]
    test = [(0, 3), (1, 2), (1, 3), (2, 1), (2, 2)]
    user, item = np.array(train + test).T
    split = np.array([0] * len(train) + [2] * len(test), dtype=np.int8)
    pairs = Interactions(user, item, split, n_users=3, n_items=4)
    tables = Embeddings(torch.ones(3, 1), torch.arange(4).float()[:, None])
    got = group_metrics(tables, pairs, Split.TEST, cutoffs=(1, 2))
    # top 2: user 0 [3, -], user 1 [3, 2], user 2 [3, 2]
    assert list(got["users"]) == ["1-2", "3-4"]
    assert got["users"]["3-4"] == {"users": 1, "recall@1": 1.0, "recall@2": 1.0, "ndcg@1": 1.0, "ndcg@2": 1.0}
    assert got["users"]["1-2"]["users"] == 2
    assert got["users"]["1-2"]["recall@2"] == pytest.approx((1 + 1 / 2) / 2)
    assert list(got["items"]) == ["mid", "tail", "cold"]  # nobody looks for a head item
    assert got["items"]["mid"] == {
        "positives": 1,
        "share_of_hits": 0.0,
        "recall@1": 0.0,
        "recall@2": 0.0,
        "ndcg@1": 0.0,
        "ndcg@2": 0.0,
    }
    assert got["items"]["tail"]["positives"] == 2
    assert got["items"]["tail"]["recall@1"] == 0.0
    assert got["items"]["tail"]["recall@2"] == 1.0
    assert got["items"]["tail"]["ndcg@2"] == pytest.approx(1 / np.log2(3))  # second place, one wanted
    assert got["items"]["tail"]["share_of_hits"] == pytest.approx(2 / 4)
    assert got["items"]["cold"]["recall@1"] == 1.0


def test_users_are_grouped_by_their_number_of_training_items():
    lengths = [1, 2, 3, 4, 5, 9, 10, 19, 20, 30]
    rows = [(user, item, 0) for user, length in enumerate(lengths) for item in range(length)]
    rows += [(user, 30, 2) for user in range(len(lengths))]
    user, item, split = np.array(rows).T
    pairs = Interactions(user, item, split.astype(np.int8), n_users=len(lengths), n_items=31)
    tables = Embeddings(torch.ones(len(lengths), 1), torch.arange(31).float()[:, None])
    got = group_metrics(tables, pairs, Split.TEST)["users"]
    assert {name: row["users"] for name, row in got.items()} == {"1-2": 2, "3-4": 2, "5-9": 2, "10-19": 2, "20+": 2}
    assert set(got["1-2"]) == {"users", "recall@20", "ndcg@20"}
    assert all(row["recall@20"] == 1.0 for row in got.values())


@pytest.mark.parametrize("protocol", list(Protocol))
@pytest.mark.parametrize("split", [Split.VALIDATION, Split.TEST])
def test_groups_add_up_to_the_whole(protocol, split):
    pairs = make_catalogue(n_users=150, n_items=90, image_size=16).interactions
    tables = _random_tables(pairs)
    whole = Evaluator(pairs, split, protocol)(tables)
    got = group_metrics(tables, pairs, split, protocol)
    users = got["users"].values()
    assert sum(row["users"] for row in users) == len(whole.users)
    for metric in ("recall@20", "ndcg@20"):
        assert sum(row["users"] * row[metric] for row in users) / len(whole.users) == pytest.approx(
            whole.metrics[metric]
        )
    counted = np.isin(pairs.of(split).user, whole.users.numpy())
    items = got["items"].values()
    assert sum(row["positives"] for row in items) == counted.sum()
    assert sum(row["share_of_hits"] for row in items) == pytest.approx(1.0)


def test_no_hits_at_all_give_no_share():
    pairs = Interactions(np.array([0, 0]), np.array([0, 2]), np.array([0, 2], dtype=np.int8), 1, 40)
    last = Embeddings(torch.ones(1, 1), torch.arange(40).float()[:, None])
    assert group_metrics(last, pairs, Split.TEST)["items"]["cold"]["share_of_hits"] == 0.0


def test_nobody_to_evaluate():
    pairs = Interactions(np.array([0]), np.array([0]), np.array([0], dtype=np.int8), 1, 2)
    with pytest.raises(InputError, match="the test split has no user"):
        group_metrics(_random_tables(pairs), pairs, Split.TEST)
