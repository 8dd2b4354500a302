import numpy as np
import polars as pl
import pytest
import torch

from alignrec_geo.dataset import Interactions, Split, make_catalogue
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.evaluation import Evaluator, Protocol
from alignrec_geo.kernels.backends import TABLE, use_backends

# user 0: train 0, validation 1, test 2; user 1: train 0 1, test 3; user 2: test 0 only (no training item)
USER = np.array([0, 0, 0, 1, 1, 1, 2])
ITEM = np.array([0, 1, 2, 0, 1, 3, 0])
SPLIT = np.array([0, 1, 2, 0, 0, 2, 2], dtype=np.int8)
PAIRS = Interactions(USER, ITEM, SPLIT, n_users=3, n_items=12)
SCORES = Embeddings(torch.ones(3, 1), torch.arange(12, 0, -1).float()[:, None])  # item 0 first, item 11 last


def test_clean_masks_validation_at_test_and_mmrec_does_not():
    clean = Evaluator(PAIRS, Split.TEST, Protocol.CLEAN, cutoffs=(1, 2))(SCORES)
    assert clean.users.tolist() == [0, 1]  # user 2 has no training item
    assert clean.per_user["recall@1"].tolist() == [1.0, 0.0]
    mmrec = Evaluator(PAIRS, Split.TEST, Protocol.MMREC, cutoffs=(1, 2))(SCORES)
    assert mmrec.per_user["recall@1"].tolist() == [0.0, 0.0]
    assert mmrec.per_user["recall@2"].tolist() == [1.0, 1.0]
    assert mmrec.metrics["recall@2"] == 1.0


@pytest.mark.parametrize("protocol", list(Protocol))
def test_at_validation_only_training_items_are_masked(protocol):
    got = Evaluator(PAIRS, Split.VALIDATION, protocol, cutoffs=(1,))(SCORES)
    assert got.users.tolist() == [0]
    assert got.per_user["recall@1"].tolist() == [1.0]


def test_masked_items_are_no_hits_even_when_nothing_else_is_left():
    pairs = Interactions(np.array([0, 0]), np.array([0, 1]), np.array([0, 2], dtype=np.int8), 1, 2)
    got = Evaluator(pairs, Split.TEST, cutoffs=(5,))(Embeddings(torch.ones(1, 1), torch.tensor([[5.0], [1.0]])))
    assert got.metrics["recall@5"] == 1.0
    assert got.metrics["ndcg@5"] == 1.0
    # the training split as target: its items are masked, so nothing can be found
    assert Evaluator(pairs, Split.TRAIN, cutoffs=(5,))(Embeddings(torch.ones(1, 1), torch.ones(2, 1))).metrics == {
        "recall@5": 0.0,
        "ndcg@5": 0.0,
        "precision@5": 0.0,
        "map@5": 0.0,
    }


def test_frame_names_users_by_their_external_ids():
    frame = Evaluator(PAIRS, Split.TEST, Protocol.MMREC, cutoffs=(2,))(SCORES).frame(pl.Series(["a", "b", "c"]))
    assert frame["user"].to_list() == ["a", "b"]
    assert frame["recall@2"].to_list() == [1.0, 1.0]


def test_nobody_to_evaluate():
    with pytest.raises(InputError, match="the validation split has no user"):
        Evaluator(PAIRS.of(Split.TRAIN, Split.TEST), Split.VALIDATION)


def test_protocol_names():
    assert Protocol.parse("mmrec") is Protocol.MMREC
    with pytest.raises(InputError, match=r"unknown protocol \(got 'loo'\); allowed: clean, mmrec"):
        Protocol.parse("loo")


@pytest.mark.parametrize("backend", [*(name for name in TABLE["topk"] if name != "triton"), "cuda"])
def test_every_backend_and_device_measures_the_same(backend):
    if backend == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    pairs = make_catalogue(n_users=90, n_items=70, image_size=16).interactions
    generator = torch.Generator().manual_seed(1)
    tables = Embeddings(*(torch.randint(-1, 2, (n, 4), generator=generator).float() for n in (90, 70)))  # many ties
    evaluator = Evaluator(pairs, Split.TEST, cutoffs=(3, 10))
    with use_backends(topk="reference"):
        expected = evaluator(tables)
    device = torch.device(backend if backend == "cuda" else "cpu")
    with use_backends(topk="auto" if backend == "cuda" else backend):
        got = evaluator(Embeddings(*(table.to(device) for table in tables)))
    assert got.per_user.keys() == expected.per_user.keys()
    for name, values in expected.per_user.items():
        assert got.per_user[name].device.type == "cpu"
        assert torch.equal(got.per_user[name], values)


@pytest.mark.parametrize("split", [Split.HISTORY, Split.UNUSED])
def test_pairs_that_nothing_is_predicted_of_are_not_evaluated(split):
    with pytest.raises(InputError, match=f"the split '{split.label}' is not evaluated"):
        Evaluator(PAIRS, split)
