"""DualGNN: propagation per modality, then over users who have items in common."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch_geometric.data import HeteroData

from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.graph.modalities import modalities
from alignrec_geo.graph.user_cooccurrence import BLOCK_ENTRIES, draw_slot_weights, user_cooccurrence
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.gather import gather_rows
from alignrec_geo.kernels.spmm import mean_propagation, spmm
from alignrec_geo.kernels.topk import top_k
from alignrec_geo.kernels.triplet_loss import triplet_loss
from alignrec_geo.kernels.unit_rows import unit_rows
from alignrec_geo.models.base import Batch, ModelConfig
from alignrec_geo.models.contributions import CONTENT, OWN, SOURCES, USERS, Branches, UserPaths, node_sources
from alignrec_geo.models.fold_in import propagated_rows
from alignrec_geo.models.graph_model import GraphRecommender
from alignrec_geo.nn.init import init_linear, init_xavier, linear
from alignrec_geo.nn.modality_encoder import ModalityEncoder
from alignrec_geo.nn.paths import row_of
from alignrec_geo.randomness import child_generator
from alignrec_geo.serving.folding import Folding, fitted_folding


class DualGNNConfig(ModelConfig):
    """Settings of :class:`DualGNN`."""

    training_defaults: ClassVar[Mapping[str, Any]] = {"lr_decay": 1.0}
    search_space: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "l2_weight": (1e-5, 1e-4, 1e-3, 0.01, 0.1),
        "training.lr": (1e-4, 5e-4, 1e-3, 5e-3),
    }

    dim: int = Field(default=64, ge=1)
    """Width d of the embeddings."""
    layers: int = Field(default=2, ge=0, le=100)
    """Propagation layers L on the user-item graph."""
    hidden: int = Field(default=256, ge=1)
    """Hidden width of the networks that encode the features."""
    k: int = Field(default=40, ge=1, le=10_000)
    """Neighbours per user on the user-user graph."""
    feature_scaling: Literal["none", "row"] = "none"
    """``row``: unit rows per feature matrix; ``none``: as loaded."""
    l2_weight: float = Field(default=1e-4, ge=0.0)
    """Weight of the mean squares of the batch's preferences and of the modality weights."""


class DualGNN(GraphRecommender):
    r"""`"DualGNN: Dual Graph Neural Network for Multimedia Recommendation" <https://doi.org/10.1109/TMM.2021.3138298>`_.

    With users' preferences :math:`p_m` and a two-layer network :math:`f_m` per modality m, the normalised graph
    :math:`\hat A`, users' modality weights :math:`w` and the user-user graph :math:`a`:

    .. math::
        x_m &= \text{norm}([p_m ; f_m(F_m)]), \quad r_m = \sum_{l=0}^{L} \hat A^l x_m \\
        z_u &= \sum_m w_{um}\, r_{um}, \quad h_u = z_u + \sum_v a_{uv}\, z_v, \quad h_i = \sum_m r_{im}, \quad
        \text{score} = h_u^\top h_i

    :math:`a` weighs the k users with the most training items in common by the softmax of these counts; users with fewer
    neighbours fill up their k places with random copies, anew every epoch (see
    :func:`alignrec_geo.graph.user_cooccurrence.draw_slot_weights`). The loss is BPR in bits plus the mean squares of
    the batch users' preferences and of :math:`w`, which starts at a softmax over the modalities and is free afterwards.
    The public reference code adds the modalities of the items into the first one's table before the users are fused,
    so that it counts twice for them; here every modality has its own weight, as in the paper. An item that lacks a
    modality starts from a zero row there, still receives its users' preferences, and the sum over modalities stays.

    Args:
        data: the graph (see :func:`alignrec_geo.graph.to_hetero`).
        features: names of the item features to use; ``None`` takes all ``x_NAME``.
        config: settings; ``None`` takes the defaults.
        seed: seed of the initial parameters and of the first draw of the user-user graph.

    Raises:
        InputError: the graph lacks a feature, or there is none.
    """

    config_class = DualGNNConfig
    config: DualGNNConfig
    user_weight: Tensor

    def __init__(
        self,
        data: HeteroData,
        features: Sequence[str] | None = None,
        config: DualGNNConfig | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(data, features, config)
        if not self.features:
            raise InputError("DualGNN learns from content: it needs at least one feature matrix (got none)")
        dim, hidden = self.config.dim, self.config.hidden
        parts = modalities(data, self.features, self.config.feature_scaling)
        self.preferences = nn.ParameterList(torch.empty(self.n_users, dim) for _ in parts)  # p
        self.modality_weight = nn.Parameter(torch.empty(self.n_users, len(parts)))  # w
        self.encoder = ModalityEncoder(
            parts,
            [nn.Sequential(linear(part.x.shape[1], hidden), nn.LeakyReLU(), linear(hidden, dim)) for part in parts],
        )  # f
        self.graph: CSR = self.symmetric_graph()
        self.common = user_cooccurrence(self.pairs, self.n_users, self.n_items, self.config.k)
        numbers = torch.arange(len(self.common.user))
        shape = (self.n_users, self.n_users)
        self.places: CSR = CSR.from_coo(self.common.user, self.common.neighbour, numbers, shape)
        self._user_graph = self.places.map(_with_float_values)
        first = draw_slot_weights(self.common, self.n_users, self.config.k, child_generator(seed, "neighbours"))
        self.register_buffer("user_weight", first)  # saved, so that the chosen epoch's graph comes back with it
        self.reset_parameters(child_generator(seed, "init"))

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the parameters anew."""
        for table in self.preferences:
            init_xavier(table, generator, "xavier_normal")
        init_xavier(self.modality_weight, generator, "xavier_normal")
        with torch.no_grad():
            self.modality_weight.copy_(self.modality_weight.softmax(dim=1))
        for layer in self.encoder.layers.modules():
            if isinstance(layer, nn.Linear):
                init_linear(layer, generator)

    def start_epoch(self, epoch: int, generator: torch.Generator) -> None:
        """Fill up the users' neighbours anew."""
        self.user_weight.copy_(draw_slot_weights(self.common, self.n_users, self.config.k, generator))

    def user_graph(self) -> CSR:
        """The user-user graph ``a`` of this epoch, ``[U, U]``: the same matrices every time, with its weights."""
        for places, matrix in (
            (self.places.matrix, self._user_graph.matrix),
            (self.places.transposed, self._user_graph.transposed),
        ):
            matrix.values().copy_(self.user_weight[places.values()])
        return self._user_graph

    def encode(self) -> Embeddings:
        """Return the tables ``h``, ``[U, d]`` and ``[I, d]``."""
        users, items = self._received(self._start())
        return Embeddings(users + spmm(self.user_graph(), users), items)

    def branches(self) -> Branches:
        """Identity is what starts at users' preferences, content what starts at the features."""
        identity = self._start()
        content = identity.clone()
        identity[self.n_users :], content[: self.n_users] = 0.0, 0.0
        both = []
        for start in (identity, content):
            users, items = self._received(start)
            both.append(Embeddings(users + spmm(self.user_graph(), users), items))
        return Branches(*both)

    def user_paths(self, user: int) -> UserPaths:
        """By past items, and over the user-user graph."""
        users, items = self._start().split([self.n_users, self.n_items])
        scale, weight = self.config.layers + 1, self.modality_weight[user, :, None]
        paths = UserPaths.propagated(self.graph, users, items, user, self.config.layers, CONTENT)
        neighbours, share = row_of(self.user_graph(), user)
        similar = items.new_zeros(len(SOURCES), self.config.dim)
        sources = node_sources(users, items, user, CONTENT)
        for source in (OWN, USERS, CONTENT):
            similar[source] = share @ self._received(sources[:, source].contiguous())[0][neighbours]
        weighed = paths.map(lambda rows: scale * (rows.view(len(rows), -1, self.config.dim) * weight).sum(dim=1))
        return replace(weighed, similar_users=similar)

    @torch.no_grad()
    def folding(self) -> Folding | None:
        """Not linear, as a new user has neighbours among the others (:meth:`fold_in`); regressed with edge weights."""
        return None if self.pair_weight is None else fitted_folding(self.embeddings(), self.histories())

    @torch.no_grad()
    def fold_in(self, histories: CSR) -> Tensor:
        """Return vectors of users whom the model was not trained on, ``[B, d]``.

        Every modality, with an estimate of the user's preference, is propagated to the user as in
        :mod:`~alignrec_geo.models.fold_in`, and weighted by the mean of the trained users' weights.
        Neighbours are the k trained users with the most items in common, each once, by the softmax of these counts.
        """
        if (folding := self.folding()) is not None:
            return folding(histories)
        layers = self.config.layers
        rows = propagated_rows(self.graph, self._start(), layers, self.n_users) * (layers + 1)
        own = [unit_rows(self.own_rows(preference)(histories)) for preference in self.preferences]
        views = Folding(rows, "root")(histories) + torch.cat(own, dim=1)
        views = views.view(histories.shape[0], len(self.features), -1)  # [B, M, d]
        folded = (views * self.modality_weight.mean(dim=0)[:, None]).sum(dim=1)
        graph = common_users(histories, self.histories(), self.config.k).map(lambda part: part.to(folded))
        return folded + spmm(graph, self._received(self._start())[0])

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms ``bpr`` and ``l2``."""
        tables = self.encode()
        user = gather_rows(tables.users, batch.users)
        positive, negative = gather_rows(tables.items, torch.cat([batch.positives, batch.negatives])).chunk(2)
        squares = [gather_rows(table, batch.users).square().mean() for table in self.preferences]
        squares.append(self.modality_weight.square().mean())
        return {
            "bpr": triplet_loss(user, positive, negative, batch.nominal_size).bpr / math.log(2.0),
            "l2": self.config.l2_weight * torch.stack(squares).sum(),
        }

    def _start(self) -> Tensor:
        """The rows of all nodes before propagation, modalities side by side, ``[N, M d]``."""
        return torch.cat(
            [unit_rows(torch.cat(pair)) for pair in zip(self.preferences, self.encoder(), strict=True)], dim=1
        )

    def _received(self, start: Tensor) -> tuple[Tensor, Tensor]:
        """``z`` of the users and ``h`` of the items, ``[U, d]`` and ``[I, d]``."""
        total = (self.config.layers + 1) * mean_propagation(self.graph, start, self.config.layers)
        views = total.view(-1, len(self.features), self.config.dim)  # r, [N, M, d]
        users = (views[: self.n_users] * self.modality_weight[:, :, None]).sum(dim=1)
        return users, views[self.n_users :].sum(dim=1)


def common_users(histories: CSR, trained: CSR, k: int) -> CSR:
    """Return the ``k`` users with the most items in common with every history, weighted by the softmax of the counts.

    Users with equally many are taken in the order of their rows. One who has nothing in common is no neighbour.

    Args:
        histories: of new users, ``[B, I]``.
        trained: of the others, ``[U, I]``.
        k: most neighbours.

    Returns:
        ``[B, U]``; a row sums to 1, or is empty.
    """
    n_users = trained.shape[0]
    edges: list[tuple[Tensor, Tensor, Tensor]] = []
    for first in range(0, histories.shape[0], size := max(1, BLOCK_ENTRIES // n_users)):
        new = torch.arange(first, min(first + size, histories.shape[0]))
        place, item = histories.map(Tensor.cpu).entries(new)
        counts = CSR.pattern(place, item, (len(new), trained.shape[1])).matrix.to_dense()
        shared, user = top_k(spmm(trained, counts.T).T.contiguous(), k)  # [b, k]
        weight = shared.masked_fill(shared == 0, -torch.inf).softmax(dim=1)
        row, place = torch.nonzero(shared > 0, as_tuple=True)
        edges.append((row + first, user[row, place], weight[row, place]))
    row, user, weight = (torch.cat(column) for column in zip(*edges, strict=True))
    return CSR.from_coo(row, user, weight, (histories.shape[0], n_users))


def _with_float_values(matrix: Tensor) -> Tensor:
    crow, col = matrix.crow_indices(), matrix.col_indices()
    values = torch.zeros(col.shape, device=col.device)
    return torch.sparse_csr_tensor(crow, col, values, matrix.shape, check_invariants=False)
