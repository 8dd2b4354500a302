import pytest
import torch
from harness.contestant import Setting, first_batches, id_model, our_model
from harness.naive import NaiveEvaluator, NaiveSampler, check_same, naive_knn, naive_twin
from harness.shapes import FEATURE, SHAPES, make_dataset
from harness.training_contestants import LIGHTGCN

from alignrec_geo.dataset.interactions import Split
from alignrec_geo.evaluation import Evaluator, Protocol
from alignrec_geo.kernels.knn import cosine_knn


@pytest.fixture(scope="module")
def data():
    return make_dataset(SHAPES["quick"])


@pytest.fixture(scope="module")
def batch(data):
    return first_batches(Setting(data, batch=256, steps=1))[0]


@pytest.mark.parametrize("trainable", [True, False])
def test_loss_and_gradients_are_those_of_the_package(data, batch, trainable):
    model = our_model(data, trainable)
    assert check_same(model, naive_twin(model), batch) < 1e-5


def test_without_features_too(data, batch):
    model = id_model(data, LIGHTGCN)
    assert check_same(model, naive_twin(model), batch) < 1e-5


def test_a_difference_is_found(data, batch):
    model = our_model(data, trainable=True)
    twin = naive_twin(model)
    with torch.no_grad():
        twin.gate.bias += 0.1
    with pytest.raises(AssertionError, match="relative"):
        check_same(model, twin, batch)


def test_metrics_are_those_of_the_package(data):
    model = our_model(data, trainable=True)
    ours = Evaluator(data.interactions, Split.VALIDATION, Protocol.MMREC)(model.embeddings()).metrics
    theirs = NaiveEvaluator(data.interactions, Split.VALIDATION, batch_size=150)(naive_twin(model))
    assert theirs == pytest.approx(ours, abs=1e-9)


def test_every_pair_is_drawn_once_with_an_item_the_user_does_not_have(data):
    train = data.interactions.of(Split.TRAIN)
    seen = set(zip(train.user.tolist(), train.item.tolist(), strict=True))
    drawn, negatives = [], []
    for batch in NaiveSampler(data.interactions, batch_size=500).epoch():
        drawn += zip(batch.users.tolist(), batch.positives.tolist(), strict=True)
        negatives += zip(batch.users.tolist(), batch.negatives.tolist(), strict=True)
    assert len(drawn) == len(seen)
    assert set(drawn) == seen
    assert not set(negatives) & seen


def test_neighbours_are_those_of_the_package(data):
    x = torch.from_numpy(data.features(FEATURE).matrix)
    for ours, theirs in zip(cosine_knn(x, 10), naive_knn(x, 10), strict=True):
        torch.testing.assert_close(ours, theirs)
