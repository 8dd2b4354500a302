"""The contract of every model."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor, nn

from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.distributed.tables import keeping_marks
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.graph.modalities import feature_list
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.memory import enough_memory
from alignrec_geo.models.contributions import Explained
from alignrec_geo.models.held_out import tables_of
from alignrec_geo.serving.cold import NeighbourMean
from alignrec_geo.serving.folding import Folding, fitted_folding
from alignrec_geo.serving.recommend import TopItems
from alignrec_geo.serving.results import Recommendations, SimilarItems
from alignrec_geo.serving.store import save_embeddings
from alignrec_geo.settings import Settings, checked


class Batch(NamedTuple):
    """Training triplets.

    Args:
        users: ``[B]`` int64.
        positives: ``[B]`` int64, an item the user interacted with.
        negatives: ``[B]`` int64, an item the user has not interacted with in training.
        nominal_size: the configured batch size ``B₀``; the last batch of an epoch is smaller.
    """

    users: Tensor
    positives: Tensor
    negatives: Tensor
    nominal_size: int

    def to(self, device: torch.device) -> "Batch":
        """The same batch on another device."""
        return Batch(self.users.to(device), self.positives.to(device), self.negatives.to(device), self.nominal_size)


class ModelConfig(Settings):
    """Base of every model's settings: unknown keys and impossible values are errors.

    Attributes:
        training_defaults: settings of the training loop whose default is another for this model.
        search_space: the values that trials of ``compare`` choose from, by setting; ``training.NAME`` is one of the
            training loop. The defaults are the first trial.
    """

    training_defaults: ClassVar[Mapping[str, Any]] = {}
    search_space: ClassVar[Mapping[str, tuple[Any, ...]]] = {}


class Recommender(Explained, ABC):
    """A model that ends in two embedding tables whose dot product is the score.

    A subclass sets :attr:`config_class` and implements :meth:`build`, :meth:`encode` and :meth:`loss`. A model that
    scores otherwise transforms its tables, so ranking, serving and export are written once.

    Attributes:
        config: its settings.
        dataset: the data set it was made for; ids come from there. ``None`` if it was made from a graph alone.
        features: names of the feature matrices it uses.
        columns_apart: whether many ranks can train it, each some columns of its tables: made by
            :func:`~alignrec_geo.distributed.column_table`, propagated column by column, and looked at as a whole
            through :func:`~alignrec_geo.nn.whole_rows.whole_rows` alone.
        why_undivided: what a model without that does with whole rows, for the message.
        places_cold_items: whether its own vectors of items without a training pair are made to be ranked among all
            others; otherwise a split that holds out whole items is judged by the rule of
            :class:`~alignrec_geo.serving.NeighbourMean`.
    """

    config_class: ClassVar[type[ModelConfig]] = ModelConfig
    uses_features: ClassVar[bool] = True
    columns_apart: ClassVar[bool] = False
    why_undivided: ClassVar[str] = "mixes the columns of its tables"
    places_cold_items: ClassVar[bool] = False
    config: ModelConfig
    dataset: Dataset | None = None
    features: tuple[str, ...] = ()

    @classmethod
    @abstractmethod
    def build(cls, dataset: Dataset, features: Sequence[str], config: Any, seed: int) -> Self:
        """Make the model for a data set; called by :meth:`from_dataset` with everything resolved."""

    @abstractmethod
    def encode(self) -> Embeddings:
        """Return ``users [U, D]`` and ``items [I, D]`` of the whole graph."""

    @abstractmethod
    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the named loss terms of a batch, already weighted; their sum is minimised."""

    @torch.no_grad()
    def folding(self) -> Folding | None:
        """Return the rule by which users are folded in if it is linear in the items, ``None`` if it is not.

        Without a rule of the model's own it is regressed from the trained users, see
        :func:`~alignrec_geo.serving.folding.fitted_folding`. A model with a better one overrides this or, if it is not
        linear, :meth:`fold_in` too.
        """
        return fitted_folding(self.embeddings(), self.histories())

    @torch.no_grad()
    def fold_in(self, histories: CSR) -> Tensor:
        """Return vectors of users whom the model was not trained on, ``[B, D]``.

        Args:
            histories: what they interacted with, ``[B, I]``; the values say how much each item counts, usually 1.
        """
        folding = self.folding()
        assert folding is not None, "a model whose rule is not linear has a fold_in of its own"
        return folding(histories)

    def own_rows(self, table: Tensor) -> Folding:
        """Return the rule by which rows that a model learned for each user are estimated for new users.

        Args:
            table: the trained rows, ``[U, W]``.

        Returns:
            The ridge regression of these rows on the items of the users' histories, see
            :func:`~alignrec_geo.serving.folding.fitted_folding`.
        """
        return fitted_folding(Embeddings(table, self.embeddings().items), self.histories())

    def histories(self) -> CSR:
        """The training pairs, ``[U, I]``."""
        train = self._need_dataset().interactions.of(Split.TRAIN)
        return CSR.pattern(torch.from_numpy(train.user), torch.from_numpy(train.item), (train.n_users, train.n_items))

    def forward(self) -> Embeddings:
        """:meth:`encode`, under the name by which torch calls a module."""
        return self.encode()

    def start_epoch(self, epoch: int, generator: torch.Generator) -> None:
        """Called before each epoch, for graphs that are drawn anew; draw from ``generator`` only."""

    @classmethod
    def settings(cls, config: Any = None) -> Any:
        """Return ``config`` as this model's settings.

        Args:
            config: a :attr:`config_class` or a dictionary; ``None`` takes the defaults.

        Raises:
            InputError: it is something else, or a setting is unknown or impossible.
        """
        if config is None or isinstance(config, Mapping):
            return checked(cls.config_class, {} if config is None else {str(key): config[key] for key in config})
        if isinstance(config, cls.config_class):
            return config
        raise InputError(
            f"{cls.__name__} takes its settings as {cls.config_class.__name__} or a dictionary "
            f"(got a {type(config).__name__})"
        )

    @classmethod
    def from_dataset(
        cls, dataset: Dataset, features: Sequence[str] | None = None, config: Any = None, seed: int = 0
    ) -> Self:
        """Make the model for a data set.

        Args:
            dataset: an open data set.
            features: names of its feature matrices to use; ``None`` takes all, an empty list none.
            config: the model's settings, its config class or a dictionary; ``None`` takes the defaults.
            seed: seed of the initial parameters.

        Raises:
            InputError: the data set lacks a feature, a setting is unknown or impossible, or the model would not fit
                into memory.
        """
        given: Any = dataset
        if not isinstance(given, Dataset):
            hint = "; open it with Dataset.open(…)" if isinstance(given, str | PathLike) else ""
            raise InputError(f"{cls.__name__}.from_dataset takes a Dataset{hint} (got {given!r:.80})")
        chosen = feature_list(features)
        names = dataset.feature_names if chosen is None else chosen
        settings = cls.settings(config)
        with enough_memory(cls.__name__):
            model = cls.build(dataset, names if cls.uses_features else [], settings, seed)
        model.dataset = dataset
        model.features = tuple(names if cls.uses_features else [])
        return model

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        """Move and cast the graphs together with the parameters."""
        for name, value in vars(self).items():
            if is_graph(value):
                setattr(self, name, value.map(fn))
            elif isinstance(value, dict) and any(is_graph(part) for part in value.values()):
                setattr(self, name, {key: part.map(fn) for key, part in value.items()})
            elif isinstance(value, list) and any(is_graph(part) for part in value):
                setattr(self, name, [part.map(fn) for part in value])
        with keeping_marks(self):
            super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def recommend(
        self, users: Any, k: int = 10, unknown: str = "error", include_cold: bool = False, **rules: Any
    ) -> Recommendations:
        """Return the ``k`` best unseen items of one or several users, by the ids that were given.

        See :meth:`alignrec_geo.serving.TopItems.recommend`, also for the rules (``where=…``, ``only_items=…``).

        With ``include_cold``, items of the data set without a training interaction are ranked by vectors from their
        content. For items that the data set does not know, use :class:`alignrec_geo.serving.NeighbourMean`.
        """
        top = self.top_items()
        if include_cold:
            own = NeighbourMean(top.embeddings, top.dataset, self.features).own()
            top = TopItems(top.embeddings, top.dataset, own)
        return top.recommend(users, k, unknown, include_cold, **rules)

    def similar_items(self, item: Any, k: int = 10, **rules: Any) -> SimilarItems:
        """Return the ``k`` items closest to an item; see :meth:`alignrec_geo.serving.TopItems.similar`."""
        return self.top_items().similar(item, k, **rules)

    @classmethod
    def load(cls, path: str | PathLike[str], dataset: Any = None, trust: bool = False) -> Self:
        """Return the model of a run folder as training left it; see :func:`alignrec_geo.models.stored.load`.

        Raises:
            InputError: the folder holds no run, one that cannot be built again, or one of another model.
        """
        from alignrec_geo.models.stored import load

        model = load(path, dataset, trust)
        if not isinstance(model, cls):
            raise InputError(f"{path}: holds a {type(model).__name__}; load it with {type(model).__name__}.load")
        return model

    def top_items(self) -> TopItems:
        """The two tables with the data set's ids, ready to recommend from."""
        return TopItems(self._cpu_embeddings(), self._need_dataset(), fold_in=self.fold_in)

    def save(self, path: str | PathLike[str]) -> None:
        """Write a folder for ``alignrec-geo recommend``, ``similar`` and ``evaluate``: tables and ids, no content.

        Raises:
            InputError: ``path`` is no path, the model has no data set, or its tables are not finite.
        """
        if not isinstance(path, str | PathLike):
            raise InputError(f"save takes the path of a folder (got {path!r:.80})")
        save_embeddings(path, self._cpu_embeddings(), self._need_dataset(), self.folding())

    @torch.no_grad()
    def embeddings(self) -> Embeddings:
        """:meth:`encode` in evaluation mode, without gradients."""
        training = self.training
        self.eval()
        try:
            with enough_memory(type(self).__name__):
                return self.encode()
        finally:
            self.train(training)

    def _cpu_embeddings(self) -> Embeddings:
        there = self.embeddings() if self.dataset is None else tables_of(self, self.dataset)
        return Embeddings(*(table.cpu() for table in there))

    def _need_dataset(self) -> Dataset:
        if self.dataset is None:
            raise InputError("this model was made from a graph alone; set model.dataset to have external ids")
        return self.dataset


def is_graph(value: Any) -> bool:
    """Whether it holds tensors that move with the model: a CSR, a pattern of edges, or one of one's own."""
    return hasattr(value, "map") and not isinstance(value, nn.Module | type)
