"""The tests every trained model must pass."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar
from unittest import SkipTest

import numpy as np
import torch

from alignrec_geo.dataset import Dataset, Features, Split
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.evaluation import Evaluator
from alignrec_geo.models import Batch, Recommender
from alignrec_geo.testing.data import checkerboard, parity_by_content, random_pairs
from alignrec_geo.training import TrainingConfig, fit


class KnownAnswers:
    """The known-answer suite: a class of tests that pytest collects, for one model.

    A new model gets them by a class of its own in a test module::

        from alignrec_geo.testing import KnownAnswers

        class TestMyModel(KnownAnswers):
            model = MyModel
            config = {"dim": 16}

    Tests of what a model does not claim (see the attributes) are skipped. :meth:`run` runs them without pytest.

    Attributes:
        model: the class of the model.
        config: settings for all tests here; the defaults where there are none.
        epochs: epochs of the tests that ask for quality.
        lr: learning rate of them.
        learns_ids: finds the parity of the checkerboard from the interactions alone.
        ranks_cold_items: an item without training interactions is placed by its content.
    """

    model: ClassVar[type[Recommender]]
    config: ClassVar[Mapping[str, Any]] = {}
    epochs: ClassVar[int] = 40
    lr: ClassVar[float] = 0.02
    learns_ids: ClassVar[bool] = True
    ranks_cold_items: ClassVar[bool] = False

    @classmethod
    def run(cls) -> dict[str, str]:
        """Run all tests in this process.

        Returns:
            ``passed`` or ``skipped: …`` by name of the test.

        Raises:
            AssertionError: a test failed.
        """
        ended = {}
        for name in (name for name in dir(cls) if name.startswith("test_") and callable(getattr(cls, name))):
            try:
                getattr(cls(), name)()
                ended[name] = "passed"
            except SkipTest as skipped:
                ended[name] = f"skipped: {skipped}"
        return ended

    def train(self, data: Dataset, features: list[str] | None = None) -> Embeddings:
        """The tables of a model that was trained on ``data`` with the settings of this class."""
        model = self.model.from_dataset(data, features=features, config=self.config)
        defaults = model.config.training_defaults
        fit(model, config=TrainingConfig(**{**defaults, "epochs": self.epochs, "lr": self.lr, "batch_size": 256}))
        return model.embeddings()

    @classmethod
    @cache
    def _parity_tables(cls) -> Embeddings:
        """What the model learns from :func:`~alignrec_geo.testing.data.parity_by_content`, trained once."""
        return cls().train(parity_by_content())

    def untrained(self, seed: int = 0) -> Recommender:
        """A model as it is made, with two modalities if it uses any."""
        return self.model.from_dataset(random_pairs(), config=self.config, seed=seed)

    def test_making_and_training_leave_the_global_generator_alone(self) -> None:
        """Every draw is from a generator of the model's or the run's own."""
        before = torch.get_rng_state()
        model = self.model.from_dataset(parity_by_content(), config=self.config)
        fit(model, config=TrainingConfig(epochs=1, batch_size=256))
        assert torch.equal(torch.get_rng_state(), before), "torch's global generator was used"

    def test_checkerboard_every_user_gets_the_withheld_item_first(self) -> None:
        """The parity is learned from the interactions alone."""
        if not self.learns_ids:
            raise SkipTest("learns from content only")
        data = checkerboard()
        if self.model.uses_features:
            nothing = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
            data = data.with_features(Features("nothing", nothing, np.ones(50, dtype=bool)))
        recall = Evaluator(data, Split.TEST)(self.train(data)).metrics["recall@5"]
        assert recall == 1.0, f"Recall@5 on the withheld diagonal is {recall:.4f}"

    def test_parity_carried_by_one_modality(self) -> None:
        """What only the content shows is learned from it."""
        self._need_features()
        users, items = self._parity_tables()
        scores = users @ items.T
        same = (torch.arange(len(users))[:, None] + torch.arange(len(items))) % 2 == 0
        warm = slice(0, len(items) - 4)
        pairs = zip(scores[:, warm], same[:, warm], strict=True)
        wins = [float(row[liked].mean() > row[~liked].mean()) for row, liked in pairs]
        share = sum(wins) / len(wins)
        assert share > 0.9, f"{share:.1%} of the users prefer items of their parity"

    def test_cold_items(self) -> None:
        """Items without a training interaction have finite vectors, and good ones where the model claims it."""
        users, items = self._parity_tables()
        assert users.isfinite().all(), "the users' table holds NaN or infinity"
        assert items.isfinite().all(), "the items' table holds NaN or infinity"
        if self.ranks_cold_items:
            scores = (users @ items.T)[:, -4:]  # two of each parity
            same = (torch.arange(len(users))[:, None] + torch.arange(len(items) - 4, len(items))) % 2 == 0
            wins = scores[same].view(-1, 2).mean(dim=1) > scores[~same].view(-1, 2).mean(dim=1)
            share = float(wins.float().mean())
            assert share > 0.9, f"{share:.1%} of the users prefer cold items of their parity"

    def test_one_modality_several_and_holes(self) -> None:
        """One feature matrix will do, three will, and items may lack theirs."""
        self._need_features()
        data = parity_by_content()
        third = np.random.default_rng(1).normal(size=(60, 5)).astype(np.float32)
        half = np.arange(60) % 3 > 0
        data = data.with_features(Features("third", third * half[:, None], half))
        for names in (["noise"], ["signal", "noise", "third"], ["third"]):
            model = self.model.from_dataset(data, features=names, config=self.config)
            result = fit(model, config=TrainingConfig(epochs=1, lr=self.lr, batch_size=256))
            assert all(table.isfinite().all() for table in result.embeddings), names

    def test_gradients_reach_every_parameter(self) -> None:
        """No parameter is left out of the loss."""
        model = self.untrained().train()
        draw = torch.Generator().manual_seed(0)
        model.start_epoch(0, draw)
        batch = Batch(torch.arange(60), torch.arange(60) % 40, (torch.arange(60) + 7) % 40, nominal_size=64)
        torch.stack([term.reshape(()) for term in model.loss(batch).values()]).sum().backward()
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                assert parameter.grad is not None, f"{name} gets no gradient"
                assert parameter.grad.abs().sum() > 0, f"the gradient of {name} is zero"

    def test_same_seed_same_parameters_and_the_global_generator_is_left_alone(self) -> None:
        """The initial parameters depend on the seed, and on nothing else."""
        first, second, other = (self.untrained(seed) for seed in (3, 3, 4))
        torch.rand(7)
        third = self.untrained(3)
        tables = [dict(model.named_parameters()) for model in (first, second, third, other)]
        for name, table in tables[0].items():
            assert torch.equal(table, tables[1][name]), f"{name} differs between equal seeds"
            assert torch.equal(table, tables[2][name]), f"{name} depends on torch's global generator"
        drawn = not tables[0] or any(not torch.equal(table, tables[3][name]) for name, table in tables[0].items())
        assert drawn, "another seed gives the same parameters"

    def test_an_interrupted_run_ends_as_an_unbroken_one(self) -> None:
        """A resumed run is equal bit for bit."""
        data = parity_by_content()
        results = []
        with TemporaryDirectory() as folder:
            for name, stops in (("whole", [4]), ("broken", [2, 4])):
                for epochs in stops:
                    model = self.model.from_dataset(data, config=self.config, seed=1)
                    settings = TrainingConfig(epochs=epochs, batch_size=100, log_to=())
                    result = fit(model, config=settings, out=Path(folder, name), resume=epochs == 4, seed=1)
                results.append(result)
        assert results[0].metrics == results[1].metrics, "the metrics of the resumed run differ"
        for whole, broken in zip(results[0].embeddings, results[1].embeddings, strict=True):
            assert torch.equal(whole, broken), "the tables of the resumed run differ"

    def test_unknown_setting(self) -> None:
        """A setting that there is not is refused."""
        with _refused("no_such_setting"):
            self.model.settings({"no_such_setting": 1})

    def test_the_search_space_holds_possible_settings(self) -> None:
        """Every value that a trial may choose is one that the settings accept."""
        for name, values in self.model.config_class.search_space.items():
            section, _, key = name.rpartition(".")
            kind: Any = TrainingConfig if section == "training" else self.model.config_class
            assert len(values) > 1, f"a search of {name} has nothing to choose from"
            for value in values:
                kind.model_validate({key: value})

    def test_missing_feature(self) -> None:
        """A feature that the data set lacks is refused by name."""
        self._need_features()
        with _refused("no features 'video'"):
            self.model.from_dataset(random_pairs(), features=["video"], config=self.config)

    def _need_features(self) -> None:
        if not self.model.uses_features:
            raise SkipTest("uses no content")


@contextmanager
def _refused(words: str) -> Iterator[None]:
    """The block must raise an :class:`~alignrec_geo.errors.InputError` that says ``words``."""
    said = None
    try:
        yield
    except InputError as error:
        said = str(error)
    assert said is not None, f"nothing was raised; an InputError about {words!r} is expected"
    assert words in said, f"the error says nothing of {words!r}: {said}"
