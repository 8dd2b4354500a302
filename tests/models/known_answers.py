"""Data sets with known answers, and the tests every trained model must pass on them.

A new model gets them by three lines::

    class TestMyModel(KnownAnswers):
        model = MyModel
        config = {"dim": 16}
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest
import torch

from alignrec_geo.dataset import Dataset, Features, Interactions, Split
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.evaluation import Evaluator
from alignrec_geo.models import Batch, Recommender
from alignrec_geo.training import TrainingConfig, fit
from tests.golden_numbers import toy_graph


def checkerboard(size: int = 50) -> Dataset:
    """User u likes every item i of its parity but i = u, which is the test item; no content."""
    user, item = np.nonzero(np.add.outer(np.arange(size), np.arange(size)) % 2 == 0)
    split = np.where(user == item, Split.TEST, Split.TRAIN).astype(np.int8)
    return _dataset("checkerboard", user, item, split, size, size, {})


def parity_by_content(users: int = 120, items: int = 60, seed: int = 0) -> Dataset:
    """Users like items of their parity, which the modality ``signal`` shows and ``noise`` does not.

    Every user has four training items and two test items, too few to see the parity from the interactions alone. The
    last four items are cold: nobody has them in training, and all test pairs of ten users are with them.
    """
    rng = np.random.default_rng(seed)
    warm = items - 4
    rows: list[tuple[int, int, int]] = []
    for user in range(users):
        liked = rng.permutation(np.arange(user % 2, warm, 2))
        cold = np.arange(warm, items)[np.arange(warm, items) % 2 == user % 2]
        test = cold[:2] if user < 10 else liked[4:6]
        rows += [(user, item, int(Split.TRAIN)) for item in liked[:4]]
        rows += [(user, item, int(Split.TEST)) for item in test]
    user, item, split = np.array(rows).T
    parity = np.where(np.arange(items) % 2 == 0, 1.0, -1.0)
    signal = rng.normal(size=(items, 16)) * 0.3 + parity[:, None] * rng.choice([-1.0, 1.0], size=16)
    noise = rng.normal(size=(items, 12))
    content = {"signal": signal.astype(np.float32), "noise": noise.astype(np.float32)}
    return _dataset("parity", user, item, split.astype(np.int8), users, items, content)


class KnownAnswers:
    """The known-answer suite."""

    model: ClassVar[type[Recommender]]
    config: ClassVar[Mapping[str, Any]] = {}
    """Settings for all tests here; the defaults where there are none."""
    epochs: ClassVar[int] = 60
    lr: ClassVar[float] = 0.02
    learns_ids: ClassVar[bool] = True
    """Finds the parity of the checkerboard from the interactions alone."""
    ranks_cold_items: ClassVar[bool] = False
    """An item without training interactions is placed by its content."""

    def train(self, data: Dataset, features: list[str] | None = None) -> Embeddings:
        model = self.model.from_dataset(data, features=features, config=self.config)
        defaults = model.config.training_defaults
        fit(model, config=TrainingConfig(**{**defaults, "epochs": self.epochs, "lr": self.lr, "batch_size": 256}))
        return model.embeddings()

    def graph_model(self, *modalities: str, seed: int = 0) -> Recommender:
        chosen = self.model.config_class.model_validate(self.config)
        make: Any = self.model
        return make(toy_graph(*modalities), config=chosen, seed=seed)

    def test_making_and_training_leave_the_global_generator_alone(self) -> None:
        before = torch.get_rng_state()
        model = self.model.from_dataset(parity_by_content(), config=self.config)
        fit(model, config=TrainingConfig(epochs=1, batch_size=256))
        assert torch.equal(torch.get_rng_state(), before)

    def test_checkerboard_every_user_gets_the_withheld_item_first(self) -> None:
        if not self.learns_ids:
            pytest.skip("learns from content only")
        data = checkerboard()
        if self.model.uses_features:
            nothing = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
            data = data.with_features(Features("nothing", nothing, np.ones(50, dtype=bool)))
        metrics = Evaluator(data.interactions, Split.TEST)(self.train(data)).metrics
        assert metrics["recall@5"] == 1.0

    def test_parity_carried_by_one_modality(self) -> None:
        if not self.model.uses_features:
            pytest.skip("uses no content")
        data = parity_by_content()
        users, items = self.train(data)
        scores = users @ items.T
        same = (torch.arange(len(users))[:, None] + torch.arange(len(items))) % 2 == 0
        warm = slice(0, len(items) - 4)
        pairs = zip(scores[:, warm], same[:, warm], strict=True)
        wins = [float(row[liked].mean() > row[~liked].mean()) for row, liked in pairs]
        assert sum(wins) / len(wins) > 0.9

    def test_cold_items(self) -> None:
        data = parity_by_content()
        users, items = self.train(data)
        assert users.isfinite().all()
        assert items.isfinite().all()
        if self.ranks_cold_items:
            scores = (users @ items.T)[:, -4:]  # two of each parity
            same = (torch.arange(len(users))[:, None] + torch.arange(len(items) - 4, len(items))) % 2 == 0
            wins = scores[same].view(-1, 2).mean(dim=1) > scores[~same].view(-1, 2).mean(dim=1)
            assert float(wins.float().mean()) > 0.9

    def test_one_modality_several_and_holes(self) -> None:
        if not self.model.uses_features:
            pytest.skip("uses no content")
        data = parity_by_content()
        third = np.random.default_rng(1).normal(size=(60, 5)).astype(np.float32)
        half = np.arange(60) % 3 > 0
        data = data.with_features(Features("third", third * half[:, None], half))
        for names in (["noise"], ["signal", "noise", "third"], ["third"]):
            model = self.model.from_dataset(data, features=names, config=self.config)
            result = fit(model, config=TrainingConfig(epochs=1, lr=self.lr, batch_size=256))
            assert all(table.isfinite().all() for table in result.embeddings), names

    def test_gradients_reach_every_parameter(self) -> None:
        model = self.graph_model("image", "text").train()
        draw = torch.Generator().manual_seed(0)
        model.start_epoch(0, draw)
        batch = Batch(torch.arange(60), torch.arange(60) % 40, (torch.arange(60) + 7) % 40, nominal_size=64)
        sum(model.loss(batch).values()).backward()
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                assert parameter.grad is not None, name
                assert parameter.grad.abs().sum() > 0, name

    def test_same_seed_same_parameters_and_the_global_generator_is_left_alone(self) -> None:
        first, second, other = (self.graph_model("image", "text", seed=seed) for seed in (3, 3, 4))
        torch.rand(7)
        third = self.graph_model("image", "text", seed=3)
        tables = [dict(model.named_parameters()) for model in (first, second, third, other)]
        for name, table in tables[0].items():
            assert torch.equal(table, tables[1][name]), name
            assert torch.equal(table, tables[2][name]), name
        assert any(not torch.equal(table, tables[3][name]) for name, table in tables[0].items())

    def test_an_interrupted_run_ends_as_an_unbroken_one(self, tmp_path: Path) -> None:
        data = parity_by_content()
        results = []
        for name, stops in (("whole", [4]), ("broken", [2, 4])):
            for epochs in stops:
                model = self.model.from_dataset(data, config=self.config, seed=1)
                settings = TrainingConfig(epochs=epochs, batch_size=100, tensorboard=False)
                result = fit(model, config=settings, out=tmp_path / name, resume=epochs == 4, seed=1)
            results.append(result)
        assert results[0].metrics == results[1].metrics
        for whole, broken in zip(results[0].embeddings, results[1].embeddings, strict=True):
            assert torch.equal(whole, broken)

    def test_unknown_setting(self) -> None:
        with pytest.raises(ValueError, match="Extra inputs"):
            self.model.config_class.model_validate({"no_such_setting": 1})

    def test_the_search_space_holds_possible_settings(self) -> None:
        for name, values in self.model.config_class.search_space.items():
            section, _, key = name.rpartition(".")
            kind: Any = TrainingConfig if section == "training" else self.model.config_class
            assert len(values) > 1
            for value in values:
                kind.model_validate({key: value})

    def test_missing_feature(self) -> None:
        if not self.model.uses_features:
            pytest.skip("uses no content")
        make: Any = self.model
        with pytest.raises(InputError, match="no features 'video'"):
            make(toy_graph("image"), features=["video"])


def _dataset(
    name: str, user: Any, item: Any, split: Any, users: int, items: int, content: Mapping[str, np.ndarray]
) -> Dataset:
    blank = pl.lit(None, dtype=pl.String)
    data = Dataset(
        name=name,
        interactions=Interactions(user.astype(np.int64), item.astype(np.int64), split, users, items),
        users=pl.DataFrame({"id": [f"id-{row}" for row in range(users)]}),
        items=pl.DataFrame({"id": [f"id-{row}" for row in range(items)]}).with_columns(
            title=blank, text=blank, image=blank
        ),
    )
    for modality, matrix in content.items():
        data = data.with_features(Features(modality, matrix, np.ones(items, dtype=bool)))
    return data
