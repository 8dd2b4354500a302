"""Parity of AlignRec with the reference implementation, levels 0 to 2."""

import numpy as np
import pytest
import torch

from alignrec_geo.dataset import Split
from alignrec_geo.evaluation import Evaluator, Protocol
from alignrec_geo.models import AlignRec, AlignRecConfig, Batch
from tests.golden_numbers import load_golden, toy_graph, toy_interactions

NAMES = {
    "user_embedding": "user_embedding.weight",
    "item_embedding": "item_id_embedding.weight",
    "content": "mm_embedding.weight",
    "projection.weight": "mm_trs.weight",
    "projection.bias": "mm_trs.bias",
    "gate.weight": "gate_v.0.weight",
    "gate.bias": "gate_v.0.bias",
}


@pytest.fixture(scope="module")
def golden():
    return load_golden("ALIGNREC")


@pytest.fixture
def model(golden) -> AlignRec:
    model = AlignRec(toy_graph(), config=AlignRecConfig(anchor="current"))
    parameters = dict(model.named_parameters())
    assert parameters.keys() == NAMES.keys()
    with torch.no_grad():
        for ours, theirs in NAMES.items():
            parameters[ours].copy_(torch.from_numpy(golden[f"param/{theirs}"]))
    return model


def test_loss_and_gradient_norms(model, golden):
    user, positive, negative = torch.from_numpy(golden["batch"])
    total = sum(model.loss(Batch(user, positive, negative, nominal_size=128)).values())
    total.backward()
    assert float(total) == pytest.approx(float(golden["loss"]), rel=1e-5)
    for ours, theirs in NAMES.items():
        norm = float(dict(model.named_parameters())[ours].grad.norm())
        assert norm == pytest.approx(float(golden[f"gradnorm/{theirs}"]), rel=1e-5), ours


def test_scores(model, golden):
    users, items = model.embeddings()
    np.testing.assert_allclose(
        (users @ items.T).numpy(), golden["scores"], rtol=1e-5, atol=1e-5 * np.abs(golden["scores"]).max()
    )


@pytest.mark.parametrize(("split", "prefix"), [(Split.VALIDATION, "valid"), (Split.TEST, "test")])
def test_metrics(model, golden, split, prefix):
    metrics = Evaluator(toy_interactions(), split, Protocol.MMREC)(model.embeddings()).metrics
    stored = {name.split("/")[1]: float(value) for name, value in golden.items() if name.startswith(f"{prefix}/")}
    assert len(stored) == 12
    for name, value in stored.items():
        assert metrics[name] == pytest.approx(value, abs=1e-6), name


def test_initial_anchor_differs_once_the_features_have_trained(model, golden):
    user, positive, negative = torch.from_numpy(golden["batch"])
    batch = Batch(user, positive, negative, nominal_size=128)
    fixed = AlignRec(toy_graph())
    fixed.load_state_dict(model.state_dict())
    current, initial = model.loss(batch), fixed.loss(batch)
    assert float(current["reg"]) != float(initial["reg"])
    for name in ("bpr", "l2", "uia", "cca"):
        assert float(current[name]) == float(initial[name])
