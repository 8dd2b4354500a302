"""LATTICE: an item-item graph that is learned from the projected features while the model trains."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from torch_geometric.data import HeteroData

from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.graph.item_knn import item_knn
from alignrec_geo.graph.modalities import Modality, modalities
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.edge_pattern import EdgePattern
from alignrec_geo.kernels.edges import edge_dot, row_sum, weighted_spmm
from alignrec_geo.kernels.gather import gather_rows
from alignrec_geo.kernels.knn import cosine_knn
from alignrec_geo.kernels.spmm import mean_propagation, spmm
from alignrec_geo.kernels.triplet_loss import triplet_loss
from alignrec_geo.kernels.unit_rows import unit_rows
from alignrec_geo.models.base import Batch, ModelConfig
from alignrec_geo.models.contributions import Branches, UserPaths
from alignrec_geo.models.graph_model import GraphRecommender
from alignrec_geo.nn.init import init_linear, init_xavier, linear
from alignrec_geo.nn.modality_encoder import ModalityEncoder
from alignrec_geo.randomness import child_generator
from alignrec_geo.serving.folding import history_sizes


class LATTICEConfig(ModelConfig):
    """Settings of :class:`LATTICE`."""

    search_space: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "l2_weight": (0.0, 1e-5, 1e-4, 1e-3),
        "feature_scaling": ("none", "row"),
        "training.lr": (5e-4, 1e-3, 5e-3),
    }

    dim: int = Field(default=64, ge=1)
    """Width d of the embeddings."""
    layers: int = Field(default=2, ge=0, le=100)
    """Propagation layers L on the user-item graph."""
    item_layers: int = Field(default=1, ge=1, le=100)
    """Propagation layers n on the item-item graph."""
    k: int = Field(default=10, ge=1)
    """Neighbours per item and modality, the item itself included, in the fixed and in the learned graph."""
    fixed_share: float = Field(default=0.9, ge=0.0, le=1.0)
    """Share λ of the fixed graph; the rest is learned."""
    train_features: bool = True
    """Train the feature matrices too (the fixed graph stays as it is)."""
    feature_scaling: Literal["none", "row"] = "none"
    """``row``: unit rows per feature matrix; ``none``: as loaded."""
    l2_weight: float = Field(default=1e-4, ge=0.0)
    """Weight of the squared norms of the batch's final rows."""


class LATTICE(GraphRecommender):
    r"""`"Mining Latent Structures for Multimedia Recommendation" <https://arxiv.org/abs/2104.09036>`_.

    Every modality has a fixed graph :math:`S_m` of each item's ``k`` nearest neighbours in the features :math:`F_m`
    (see :func:`~alignrec_geo.graph.item_knn.item_knn`) and learned cosines :math:`K_m` between neighbours in
    :math:`W_m F_m + b_m`. With :math:`a` the softmax of one logit per modality, ID tables :math:`P, Q` and the
    user-item graph with self-loops:

    .. math::
        K &= \sum_m a_m K_m, \qquad s_i = \sum_j K_{ij} \\
        S_{ij} &= (1 - \lambda) \frac{K_{ij}}{\sqrt{s_i s_j}} + \lambda \sum_m a_m S_{m,ij} \\
        [u; q] &= \tfrac{1}{L+1} \sum_{l=0}^{L} \big((D + I)^{-1} (A + I)\big)^l [P; Q] \\
        i &= q + \operatorname{norm}(S^n Q), \qquad \text{score} = u^\top i

    The loss is BPR + L2 of the final rows. Which items are neighbours in the learned graph is found once an epoch;
    their cosines are computed anew, with gradients, in every batch. The public reference code gives the logits,
    projections and features a gradient in the first batch of an epoch only; here they train throughout.

    Cosines below zero count as zero. An item that lacks a modality has no neighbours there and is none; :math:`S` is
    then made of the modalities that it has, and an item without any ends at :math:`i = q`.

    Args:
        data: the graph (see :func:`alignrec_geo.graph.to_hetero`).
        features: names of the item features to use; ``None`` takes all ``x_NAME``.
        config: settings; ``None`` takes the defaults.
        seed: seed of the initial parameters.

    Raises:
        InputError: no feature is named, or the graph lacks one.

    Shapes:
        - **users:** ``[U, d]``
        - **items:** ``[I, d]``
    """

    config_class = LATTICEConfig
    config: LATTICEConfig

    def __init__(
        self,
        data: HeteroData,
        features: Sequence[str] | None = None,
        config: LATTICEConfig | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(data, features, config)
        if not self.features:
            raise InputError("LATTICE learns a graph from content: it needs at least one feature matrix (got none)")
        dim, parts = self.config.dim, modalities(data, self.features, self.config.feature_scaling)
        self.user_embedding = nn.Parameter(torch.empty(self.n_users, dim))  # P
        self.item_embedding = nn.Parameter(torch.empty(self.n_items, dim))  # Q
        self.modality_logits = nn.Parameter(torch.empty(len(parts)))
        projections = [linear(part.x.shape[1], dim) for part in parts]  # W, b
        self.encoder = ModalityEncoder(parts, projections, self.config.train_features)
        self.user_item_graph: CSR = _self_loop_mean(self.pairs, self.n_users, self.n_items)
        self.fixed_graphs: dict[str, CSR] = {part.name: _neighbour_graph(part, self.config.k) for part in parts}  # S_m
        self.neighbours: list[EdgePattern] | None = None  # of this epoch's learned graph, by modality
        self.reset_parameters(child_generator(seed, "init"))

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the parameters anew; the feature matrices stay as they are."""
        for table in (self.user_embedding, self.item_embedding):
            init_xavier(table, generator)
        nn.init.constant_(self.modality_logits, 0.5)
        for layer in self.encoder.layers:
            if isinstance(layer, nn.Linear):
                init_linear(layer, generator)
        self.neighbours = None

    def start_epoch(self, epoch: int, generator: torch.Generator) -> None:
        """Find the neighbours of the learned graph anew."""
        self.neighbours = None
        with torch.no_grad():
            self._neighbours([unit_rows(rows) for rows in self.encoder()])

    def encode(self) -> Embeddings:
        """Return the final tables, ``[U, d]`` and ``[I, d]``; in evaluation mode with the current neighbours."""
        users, items = self._propagated()
        return Embeddings(users, items + unit_rows(self.item_propagation()))

    def branches(self) -> Branches:
        r"""Content is what comes over the item graph, :math:`\operatorname{norm}(S^n Q)`; users have none."""
        users, items = self._propagated()
        content = Embeddings(torch.zeros_like(users), unit_rows(self.item_propagation()))
        return Branches(Embeddings(users, items), content)

    def user_paths(self, user: int) -> UserPaths:
        """By past items."""
        users, items, layers = self.user_embedding, self.item_embedding, self.config.layers
        return UserPaths.propagated(self.user_item_graph, users, items, user, layers)

    def folding(self) -> None:
        """Not linear: how much a user's own row counts depends on the length of the history; see :meth:`fold_in`."""

    @torch.no_grad()
    def fold_in(self, histories: CSR) -> Tensor:
        r"""Return vectors of users whom the model was not trained on, ``[B, d]``.

        The propagation with self-loops to a user whose own row is estimated; what the user would change in the items is
        left out:

        .. math::
            x^{(l)} = (x^{(l-1)} + \sum_{i \in \mathcal N} q^{(l-1)}_i) / (|\mathcal N| + 1).
        """
        nodes = torch.cat([self.user_embedding, self.item_embedding])
        histories = histories.map(lambda part: part.to(nodes.device, nodes.dtype))
        size = history_sizes(histories)[:, None] + 1.0
        rows = total = self.own_rows(self.user_embedding)(histories)
        for _ in range(self.config.layers):
            rows = (rows + spmm(histories, nodes[self.n_users :])) / size
            total, nodes = total + rows, spmm(self.user_item_graph, nodes)
        return total / (self.config.layers + 1)

    def item_propagation(self) -> Tensor:
        r"""Return :math:`S^n Q`, ``[I, d]``."""
        unit = [unit_rows(rows) for rows in self.encoder()]
        patterns = self._neighbours(unit)
        share, fixed_share = self.modality_logits.softmax(dim=0), self.config.fixed_share
        cosines = [  # a_m K_m
            share[number] * F.relu(edge_dot(pattern, rows, rows))
            for number, (pattern, rows) in enumerate(zip(patterns, unit, strict=True))
        ]
        total = torch.stack([row_sum(pattern, edges) for pattern, edges in zip(patterns, cosines, strict=True)]).sum(0)
        scale = total.where(total > 0, 1.0).rsqrt()[:, None]  # [I, 1]
        x: Tensor = self.item_embedding
        for _ in range(self.config.item_layers):
            learned = [
                weighted_spmm(pattern, edges, x * scale) for pattern, edges in zip(patterns, cosines, strict=True)
            ]
            fixed = [part * spmm(graph, x) for part, graph in zip(share, self.fixed_graphs.values(), strict=True)]
            x = (1.0 - fixed_share) * scale * torch.stack(learned).sum(0) + fixed_share * torch.stack(fixed).sum(0)
        return x

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms ``bpr`` and ``l2``."""
        users, items = self.encode()
        positive, negative = gather_rows(items, torch.cat([batch.positives, batch.negatives])).chunk(2)
        pair = triplet_loss(gather_rows(users, batch.users), positive, negative, batch.nominal_size)
        return {"bpr": pair.bpr, "l2": self.config.l2_weight * pair.l2}

    def _propagated(self) -> tuple[Tensor, Tensor]:
        """``u`` and ``q``, ``[U, d]`` and ``[I, d]``."""
        table = torch.cat([self.user_embedding, self.item_embedding])  # [N, d]
        users, items = mean_propagation(self.user_item_graph, table, self.config.layers).split(
            [self.n_users, self.n_items]
        )
        return users, items

    def _neighbours(self, unit: Sequence[Tensor]) -> list[EdgePattern]:
        """In training the neighbours that the epoch began with; in evaluation those of the parameters as they are."""
        if self.training and self.neighbours is not None:
            return self.neighbours
        found = [
            _nearest(rows.detach(), self.encoder.present(number), self.config.k) for number, rows in enumerate(unit)
        ]
        if self.training:
            self.neighbours = found
        return found


def _nearest(rows: Tensor, present: Tensor, k: int) -> EdgePattern:
    """Each row's ``k`` most similar rows by cosine, itself included; rows that are not present take no part."""
    usable = torch.nonzero(present)[:, 0]
    neighbour = usable[cosine_knn(rows[usable], k)[1]]  # [n, k]
    centre = usable[:, None].expand_as(neighbour)
    return EdgePattern.from_coo(centre.flatten(), neighbour.flatten(), (len(rows), len(rows)), rows.dtype)


def _neighbour_graph(part: Modality, k: int) -> CSR:
    return CSR.from_edge_index(*item_knn(part.x, part.present, k), (len(part.x), len(part.x)))


def _self_loop_mean(pairs: Tensor, n_users: int, n_items: int) -> CSR:
    r""":math:`(D + I)^{-1} (A + I)` on all nodes, users first: the mean of a node and its neighbours."""
    (user, item), size = pairs, n_users + n_items
    own = torch.arange(size, device=pairs.device)
    row, col = torch.cat([user, item + n_users, own]), torch.cat([item + n_users, user, own])
    weight = torch.bincount(row, minlength=size).double().reciprocal()  # the self-loop is counted in the degree
    return CSR.from_coo(row, col, weight[row].float(), (size, size))
