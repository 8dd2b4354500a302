"""BM3: bootstrapped multimodal learning without negatives."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor
from torch_geometric.data import HeteroData

from alignrec_geo.distributed import column_table, table_norm
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.graph.modalities import modalities
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.gather import gather_rows
from alignrec_geo.kernels.spmm import mean_propagation
from alignrec_geo.kernels.unique import Distinct, distinct, first_occurrence
from alignrec_geo.models.base import Batch, ModelConfig
from alignrec_geo.models.contributions import BIAS, Branches, UserPaths
from alignrec_geo.models.fold_in import propagated_folding
from alignrec_geo.models.graph_model import GraphRecommender
from alignrec_geo.nn import Dropout, ModalityEncoder, init_linear, init_xavier, linear, norm_penalty
from alignrec_geo.nn.by_rows import by_rows
from alignrec_geo.nn.column_linear import column_linear
from alignrec_geo.nn.whole_rows import Wanted, whole_rows
from alignrec_geo.randomness import child_generator
from alignrec_geo.serving.folding import Folding, fitted_folding


class BM3Config(ModelConfig):
    """Settings of :class:`BM3`."""

    training_defaults: ClassVar[Mapping[str, Any]] = {"lr_decay": 1.0}
    search_space: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "layers": (1, 2),
        "reg_weight": (0.01, 0.1),
        "dropout": (0.3, 0.5),
        "training.lr": (5e-4, 1e-3, 3e-3),
    }

    dim: int = Field(default=64, ge=1)
    """Width d of the embeddings."""
    layers: int = Field(default=1, ge=0, le=100)
    """Propagation layers L on the user-item graph."""
    dropout: float = Field(default=0.5, ge=0.0, lt=1.0)
    """Probability of a zero in the targets, which makes them another view."""
    cl_weight: float = Field(default=2.0, ge=0.0)
    """Weight λ_cl of the alignments of the features."""
    reg_weight: float = Field(default=0.1, ge=0.0)
    """Weight λ of the norms of the tables."""
    train_features: bool = True
    """Train the feature matrices too."""
    feature_scaling: Literal["row", "none"] = "none"
    """``row``: unit rows per feature matrix; ``none``: as loaded."""


class BM3(GraphRecommender):
    r"""`"Bootstrap Latent Representations for Multi-modal Recommendation" <https://arxiv.org/abs/2207.05969>`_.

    With ID tables :math:`P, Q`, the normalised graph :math:`\hat A`, features :math:`F_m` and one predictor :math:`g`
    (a linear layer) for all:

    .. math::
        [h_u; \bar q] &= \tfrac{1}{L+1} \sum_{l=0}^{L} \hat A^l [P; Q], \qquad h_i = \bar q_i + Q_i, \qquad
        f_m = W_m F_m + b_m \\
        D(a, b) &= 1 - \tfrac1B \sum \cos\big(g(a), \text{dropout}(\text{stop-gradient}(b))\big) \\
        \mathcal L &= D(h_u, h_i) + D(h_i, h_u) + \lambda_{cl} \sum_m \big[ D(f_m, h_i) + D(f_m, f_m) \big]
        + \lambda\, \frac{\|h_U\|_F + \|h_I\|_F}{I} \\
        \text{score} &= g(h_u)^\top g(h_i)

    The last term of the loss is over all users and items, with norms that are not squared. Negatives of a batch are
    ignored. A user or item that occurs several times in a batch is encoded once and has one dropout mask.

    Items without a modality have no part in its alignments, whose means are over the positives that have it. Without
    any features the model is its user-item alignment.

    Args:
        data: the graph (see :func:`alignrec_geo.graph.to_hetero`).
        features: names of the item features to use; ``None`` takes all ``x_NAME``.
        config: settings; ``None`` takes the defaults.
        seed: seed of the initial parameters.

    Raises:
        InputError: the graph lacks a feature.
    """

    config_class = BM3Config
    columns_apart = True
    dense_maps = 1
    config: BM3Config

    def __init__(
        self,
        data: HeteroData,
        features: Sequence[str] | None = None,
        config: BM3Config | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(data, features, config)
        dim, parts = self.config.dim, modalities(data, self.features, self.config.feature_scaling)
        self.user_embedding = column_table(self.n_users, dim)  # P
        self.item_embedding = column_table(self.n_items, dim)  # Q
        projections = [column_linear(part.x.shape[1], dim) for part in parts]  # W_m, b_m
        self.encoder = ModalityEncoder(parts, projections, self.config.train_features)
        self.predictor = linear(dim, dim)  # g
        self.dropout = Dropout(self.config.dropout, seed)
        self.graph: CSR = self.symmetric_graph()
        self.reset_parameters(child_generator(seed, "init"))

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the parameters anew; feature matrices stay as they are."""
        init_xavier(self.user_embedding, generator)
        init_xavier(self.item_embedding, generator)
        for layer in (*self.encoder.layers, self.predictor):
            init_linear(layer, generator, weight="xavier_normal")

    def start_epoch(self, epoch: int, generator: torch.Generator) -> None:
        """Start a new stream of dropout masks."""
        self.dropout.reseed(generator)

    def encode(self) -> Embeddings:
        """Return the predicted tables, ``[U, d]`` and ``[I, d]``."""
        users, items = self._tables()
        return Embeddings(by_rows(self.predictor, users), by_rows(self.predictor, items))

    def branches(self) -> Branches:
        """All is identity, but for the predictor's bias: content takes part in the loss alone."""
        return Branches(Embeddings(*(F.linear(rows, self.predictor.weight) for rows in self._tables())))

    def user_paths(self, user: int) -> UserPaths:
        """By past items."""
        users, items, layers = self.user_embedding, self.item_embedding, self.config.layers
        paths = UserPaths.propagated(self.graph, users, items, user, layers)
        predicted = paths.map(lambda rows: F.linear(rows, self.predictor.weight))
        return predicted + UserPaths.of(BIAS, self.predictor.bias)

    @torch.no_grad()
    def folding(self) -> Folding:
        """As :meth:`LightGCN's <alignrec_geo.models.LightGCN.folding>`, then the predictor."""
        if self.pair_weight is not None:
            return fitted_folding(self.embeddings(), self.histories())
        table, own = torch.cat([self.user_embedding, self.item_embedding]), self.own_rows(self.user_embedding)
        user = propagated_folding(self.graph, table, self.config.layers, self.n_users, own)
        return replace(user.map(lambda rows: rows @ self.predictor.weight.T), bias=self.predictor.bias)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return ``interaction``, ``norm`` and, with features, ``content``."""
        users, items = self._tables()
        user, item = distinct(batch.users), distinct(batch.positives)
        h_user, h_item = whole_rows(Wanted(users, user.ids), Wanted(items, item.ids))
        user_target, item_target = self._target(h_user, user), self._target(h_item, item)
        to_item = F.cosine_similarity(user.spread(self.predictor(h_user)), item.spread(item_target))  # [B]
        to_user = F.cosine_similarity(item.spread(self.predictor(h_item)), user.spread(user_target))  # [B]
        terms = {
            "interaction": 2.0 - to_item.mean() - to_user.mean(),
            "norm": self.config.reg_weight * norm_penalty(users, items, norm=table_norm),
        }
        if self.features:
            aligned = self._content_distances(item, item_target)
            terms["content"] = self.config.cl_weight * torch.stack(aligned).sum()
        return terms

    def _tables(self) -> tuple[Tensor, Tensor]:
        """``h_u`` and ``h_i``, ``[U, d]`` and ``[I, d]``."""
        table = torch.cat([self.user_embedding, self.item_embedding])
        users, items = mean_propagation(self.graph, table, self.config.layers).split([self.n_users, self.n_items])
        return users, items + self.item_embedding

    def _content_distances(self, items: Distinct, item_target: Tensor) -> list[Tensor]:
        """``D(f_m, h_i) + D(f_m, f_m)`` of each modality, from the distinct items of a batch and their counts."""
        distances = []
        for number, (layer, table) in enumerate(zip(self.encoder.layers, self.encoder.tables, strict=True)):
            encoded = layer(gather_rows(table, items.ids))  # [n, d]
            predicted = self.predictor(encoded)
            target = self._target(encoded, items)
            near = F.cosine_similarity(predicted, item_target) + F.cosine_similarity(predicted, target)
            weight = items.counts * self.encoder.present(number)[items.ids]
            share = (weight / weight.sum().clamp(min=1)).to(near.dtype)
            distances.append(torch.dot(2.0 - near, share))
        return distances

    def _target(self, rows: Tensor, nodes: Distinct) -> Tensor:
        # where a node's rows are not merged, they have the mask of the first
        dropped: Tensor = self.dropout(rows.detach(), None if nodes.place is not None else first_occurrence(nodes.ids))
        return dropped
