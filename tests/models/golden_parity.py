"""Parity with the reference implementations, levels 0 to 3: what every model's parity test shares."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from alignrec_geo.dataset import Split
from alignrec_geo.evaluation import Evaluator, Protocol
from alignrec_geo.models import Batch, Recommender
from tests.golden_numbers import load_golden, toy_interactions


class GoldenParity:
    """Tests of a model against its golden file; a subclass names the file and the parameters and makes the model."""

    file: ClassVar[str]
    names: ClassVar[Mapping[str, str]]
    """The golden name of every parameter of ours."""
    reshaped: ClassVar[bool] = False
    """Parameters may have another shape with the same number of entries."""

    def make(self) -> Recommender:
        """The model on the toy graph, before its parameters are copied."""
        raise NotImplementedError

    @pytest.fixture
    def golden(self) -> dict[str, Any]:
        return load_golden(self.file)

    @pytest.fixture
    def model(self, golden: dict[str, Any]) -> Recommender:
        model = self.make()
        own = dict(model.named_parameters())
        assert own.keys() == self.names.keys()
        with torch.no_grad():
            for ours, theirs in self.names.items():
                stored = golden.get(f"param/{theirs}", golden.get(f"frozen/{theirs}"))
                value = torch.from_numpy(np.asarray(stored))
                own[ours].copy_(value.view(own[ours].shape) if self.reshaped else value)
        return model.train()

    def batch(self, golden: dict[str, Any]) -> Batch:
        rows = torch.from_numpy(golden["batch"])
        return Batch(rows[0], rows[1], rows[2] if len(rows) == 3 else rows[1], nominal_size=128)

    def test_loss_and_gradient_norms(self, model: Recommender, golden: dict[str, Any]) -> None:
        total = sum(model.loss(self.batch(golden)).values())
        total.backward()
        assert float(total) == pytest.approx(float(golden["loss"]), rel=1e-5)
        own = dict(model.named_parameters())
        for ours, theirs in self.names.items():
            if f"gradnorm/{theirs}" in golden:
                stored = float(golden[f"gradnorm/{theirs}"])
                assert float(own[ours].grad.norm()) == pytest.approx(stored, rel=1e-5, abs=1e-9), ours

    def test_scores(self, model: Recommender, golden: dict[str, Any]) -> None:
        users, items = model.embeddings()
        scores = (users @ items.T).numpy()
        np.testing.assert_allclose(scores, golden["scores"], rtol=1e-5, atol=1e-5 * np.abs(golden["scores"]).max())

    @pytest.mark.parametrize(("split", "prefix"), [(Split.VALIDATION, "valid"), (Split.TEST, "test")])
    def test_metrics(self, model: Recommender, golden: dict[str, Any], split: Split, prefix: str) -> None:
        metrics = Evaluator(toy_interactions(), split, Protocol.MMREC)(model.embeddings()).metrics
        stored = {name.split("/")[1]: float(value) for name, value in golden.items() if name.startswith(f"{prefix}/")}
        assert len(stored) == 12
        for name, value in stored.items():
            assert metrics[name] == pytest.approx(value, abs=1e-6), name


def ten_steps_agree(model: Recommender, plain_loss: Callable[[dict[str, Tensor], Batch], Tensor], batch: Batch) -> None:
    """Level 3: ten Adam steps of the model and of its plain dense formulas in double precision stay together.

    Args:
        model: with the golden parameters.
        plain_loss: the loss as one would write it from the paper, of parameters by name (double) and a batch.
        batch: the stored batch; its rows are used in ten different orders and sizes.
    """
    ours = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    twin = {name: p.detach().double().clone().requires_grad_(p.requires_grad) for name, p in model.named_parameters()}
    theirs = torch.optim.Adam([p for p in twin.values() if p.requires_grad], lr=1e-2)
    draw = torch.Generator().manual_seed(0)
    for _ in range(10):
        rows = torch.randperm(len(batch.users), generator=draw)[:96]
        part = Batch(batch.users[rows], batch.positives[rows], batch.negatives[rows], batch.nominal_size)
        losses = sum(model.loss(part).values()), plain_loss(twin, part)
        assert float(losses[0]) == pytest.approx(float(losses[1]), rel=1e-3)
        for optimizer, loss in zip((ours, theirs), losses, strict=True):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    for name, parameter in model.named_parameters():
        expected = twin[name].detach()
        assert float((parameter.detach() - expected).norm() / expected.norm()) < 1e-3, name
