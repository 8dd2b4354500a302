"""GRCN: the user-item graph refined by content, so that edges which content does not support count less."""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, ClassVar, Literal, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from torch_geometric.data import HeteroData

from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.graph.modalities import modalities
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.edge_pattern import EdgePattern
from alignrec_geo.kernels.edges import edge_dot, edge_softmax, gather_columns, weighted_spmm
from alignrec_geo.kernels.gather import gather_rows
from alignrec_geo.kernels.triplet_loss import triplet_loss
from alignrec_geo.kernels.unit_rows import unit_rows
from alignrec_geo.models.base import Batch, ModelConfig
from alignrec_geo.models.contributions import Branches, NodeInput
from alignrec_geo.models.graph_model import GraphRecommender
from alignrec_geo.nn.init import init_linear, init_xavier, linear
from alignrec_geo.nn.modality_encoder import ModalityEncoder
from alignrec_geo.randomness import child_generator


class GRCNConfig(ModelConfig):
    """Settings of :class:`GRCN`."""

    training_defaults: ClassVar[Mapping[str, Any]] = {"lr_decay": 1.0}
    search_space: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "l2_weight": (1e-5, 1e-4, 1e-3, 1e-2, 0.1),
        "routing_iterations": (0, 1, 3),
        "training.lr": (5e-4, 1e-3, 3e-3),
    }

    dim: int = Field(default=64, ge=1)
    """Width d of every branch; the embeddings are (modalities + 1) · d wide."""
    layers: int = Field(default=2, ge=0, le=100)
    """Propagation layers L of the identities on the refined graph."""
    routing_iterations: int = Field(default=3, ge=0, le=100)
    """How often a user's preference is drawn towards the items that agree with it; 0 leaves routing out."""
    feature_scaling: Literal["none", "row"] = "none"
    """``row``: unit rows per feature matrix; ``none``: as loaded."""
    l2_weight: float = Field(default=1e-4, ge=0.0)
    """Weight of the mean squares of the batch's identities and preferences."""


class ContentBranch(NamedTuple):
    """What one modality says of nodes and edges."""

    users: Tensor
    """``[U, d]``."""
    items: Tensor
    """``[I, d]``."""
    to_users: Tensor
    """Attention of users to their items, ``[E]``, user by user."""
    to_items: Tensor
    """Attention of items to their users, ``[E]``, item by item."""


class GRCN(GraphRecommender):
    r"""`"Graph-Refined Convolutional Network for Multimedia Recommendation with Implicit Feedback"
    <https://arxiv.org/abs/2008.10972>`_.

    Every modality has items :math:`f_i = \operatorname{norm}(\operatorname{lrelu}(W F_i + b))` and learned users'
    preferences :math:`p_u`, unit rows both. Routing repeats, on the training pairs,

    .. math::
        p_u \leftarrow \operatorname{norm}\Big(p_u + \sum_{i \in \mathcal N(u)} \alpha_{ui} f_i\Big), \qquad
        \alpha_{ui} = \operatorname{softmax}_{i \in \mathcal N(u)} (p_u^\top f_i)

    With the final preferences every node :math:`t`, user or item, attends to its neighbours :math:`s` once more. The
    result is its content representation, and the attention, times a learned confidence of the sender in the modality,
    is the weight of the edge for the identities :math:`Y`:

    .. math::
        z^m_t &= x^m_t + \sum_{s \in \mathcal N(t)} \alpha^m_{ts} x^m_s, \qquad x^m = [p^m; f^m] \\
        w_{ts} &= \max\big(0, \max_m \alpha^m_{ts} c_{s,m}\big) \\
        z^{\text{id}} &= \sum_{l=0}^{L} w^l \operatorname{norm}(Y), \qquad
        \text{score} = [z^{\text{id}} \| z^1 \| \dots]_u^\top [z^{\text{id}} \| z^1 \| \dots]_i

    The loss is BPR plus the mean squares of the batch's rows of :math:`Y` and of every :math:`p^m`. As in the paper,
    and unlike in the public reference code, routing edges lead from items to users; the mean square of the whole first
    preference table, which only that code has, is left out. An item without a modality has a zero row there, an
    affinity of 0 to all its users: its edges stay, neither supported nor denied.

    Args:
        data: the graph (see :func:`alignrec_geo.graph.to_hetero`).
        features: names of the item features to use; ``None`` takes all ``x_NAME``.
        config: settings; ``None`` takes the defaults.
        seed: seed of the initial parameters.

    Raises:
        InputError: no feature is named, or the graph lacks one.

    Shapes:
        - **users:** ``[U, (M + 1) d]`` with ``M`` modalities
        - **items:** ``[I, (M + 1) d]``
    """

    config_class = GRCNConfig
    config: GRCNConfig

    def __init__(
        self,
        data: HeteroData,
        features: Sequence[str] | None = None,
        config: GRCNConfig | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(data, features, config)
        if not self.features:
            raise InputError("GRCN refines the graph by content: it needs at least one feature matrix (got none)")
        dim, parts = self.config.dim, modalities(data, self.features, self.config.feature_scaling)
        self.identity = nn.Parameter(torch.empty(self.n_users + self.n_items, dim))  # Y
        self.preferences = nn.ParameterList(nn.Parameter(torch.empty(self.n_users, dim)) for _ in parts)  # p
        self.confidence = nn.Parameter(torch.empty(self.n_users + self.n_items, len(parts)))  # c
        self.encoder = ModalityEncoder(parts, [linear(part.x.shape[1], dim) for part in parts])  # W, b
        self.edges = EdgePattern.from_coo(self.pairs[0], self.pairs[1], (self.n_users, self.n_items))
        self.reset_parameters(child_generator(seed, "init"))

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the parameters anew."""
        for table in (self.identity, *self.preferences, self.confidence):
            init_xavier(table, generator, "xavier_normal")
        for layer in self.encoder.layers:
            if isinstance(layer, nn.Linear):
                init_linear(layer, generator, weight="xavier_normal")

    def content_branches(self) -> list[ContentBranch]:
        """Route and attend, modality by modality."""
        return [self._branch(*pair, self.edges) for pair in self._unit_content()]

    def encode(self) -> Embeddings:
        """Return identities and content side by side, ``[U, (M + 1) d]`` and ``[I, (M + 1) d]``."""
        return self._encoded(unit_rows(self.identity), self._unit_content())

    def _encoded(self, identity: Tensor, content: Sequence[tuple[Tensor, Tensor]]) -> Embeddings:
        branches = [self._branch(*pair, self.edges) for pair in content]
        users, items = self._propagated_identity(identity, branches)
        return Embeddings(
            torch.cat([users, *(branch.users for branch in branches)], dim=1),
            torch.cat([items, *(branch.items for branch in branches)], dim=1),
        )

    def branches(self) -> Branches:
        """Identity and content stand side by side, so each scores with its own kind alone."""
        return self._split(self.encode())

    def node_inputs(self) -> list[NodeInput]:
        """The unit rows of identities, of users' preferences and of the items' content."""
        found = [NodeInput("identity", unit_rows(self.identity.detach()), "both")]
        for name, (users, items) in zip(self.features, self._unit_content(), strict=True):
            found += [NodeInput(f"preference {name}", users.detach(), "users")]
            found += [NodeInput(f"content {name}", items.detach(), "items", content=True)]
        return found

    def tables_of(self, rows: Mapping[str, Tensor]) -> Branches:
        """Both branches of other unit rows."""
        content = [(rows[f"preference {name}"], rows[f"content {name}"]) for name in self.features]
        return self._split(self._encoded(rows["identity"], content))

    def folding(self) -> None:
        """Not linear; see :meth:`fold_in`."""

    @torch.no_grad()
    def fold_in(self, histories: CSR) -> Tensor:
        """Return vectors of users whom the model was not trained on, ``[B, (M + 1) d]``.

        Routing and attention run on users whose preferences and identity are estimated, at unit length as those of
        trained users; what they would change in the items is left out. How much an item counts is its attention; the
        values of ``histories`` are not used for that.
        """
        histories = histories.map(lambda part: part.to(self.identity.device, self.identity.dtype))
        (item, new), _ = histories.edges()
        edges = EdgePattern.from_coo(new, item, histories.shape, self.identity.dtype)
        branches, found = self.content_branches(), []
        for preference, encoded in zip(self.preferences, self.encoder(), strict=True):
            users = unit_rows(self.own_rows(preference)(histories))
            found.append(self._branch(users, unit_rows(F.leaky_relu(encoded)), edges))
        _, of_items = self.confidence.split([self.n_users, self.n_items])
        weight = _edge_weight([branch.to_users for branch in found], edges, of_items)
        layers = self._identity_layers(unit_rows(self.identity), branches)[:-1]
        start = unit_rows(self.own_rows(self.identity[: self.n_users])(histories))
        identity = sum((weighted_spmm(edges, weight, items) for _, items in layers), start)
        return torch.cat([identity, *(branch.users for branch in found)], dim=1)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms ``bpr`` and ``l2``."""
        users, items = self.encode()
        rows = torch.cat([batch.positives, batch.negatives])
        positive, negative = gather_rows(items, rows).chunk(2)
        pair = triplet_loss(gather_rows(users, batch.users), positive, negative, batch.nominal_size)
        return {"bpr": pair.bpr, "l2": self.config.l2_weight * self._mean_squares(batch.users, rows)}

    def _branch(self, users: Tensor, items: Tensor, edges: EdgePattern) -> ContentBranch:
        for _ in range(self.config.routing_iterations):
            attention = edge_softmax(edges, edge_dot(edges, users, items))
            users = unit_rows(users + weighted_spmm(edges, attention, items))
        affinity, turned = edge_dot(edges, users, items), edges.T
        to_users = edge_softmax(edges, affinity)
        to_items = edge_softmax(turned, edges.transpose_values(affinity))
        return ContentBranch(
            users + weighted_spmm(edges, to_users, items),
            items + weighted_spmm(turned, to_items, users),
            to_users,
            to_items,
        )

    def _unit_content(self) -> list[tuple[Tensor, Tensor]]:
        """``p`` and ``f``, ``[U, d]`` and ``[I, d]``, of every modality."""
        return [
            (unit_rows(preference), unit_rows(F.leaky_relu(encoded)))
            for preference, encoded in zip(self.preferences, self.encoder(), strict=True)
        ]

    def _split(self, tables: Embeddings) -> Branches:
        columns = torch.arange(tables.users.shape[1], device=tables.users.device) < self.config.dim
        return Branches(*(Embeddings(*(table * part for table in tables)) for part in (columns, ~columns)))

    def _propagated_identity(self, identity: Tensor, branches: Sequence[ContentBranch]) -> tuple[Tensor, Tensor]:
        users, items = zip(*self._identity_layers(identity, branches), strict=True)
        return reduce(torch.add, users), reduce(torch.add, items)

    def _identity_layers(self, identity: Tensor, branches: Sequence[ContentBranch]) -> list[tuple[Tensor, Tensor]]:
        """Users and items before the first layer and after each."""
        split = [self.n_users, self.n_items]
        users, items = identity.split(split)
        of_users, of_items = self.confidence.split(split)
        turned = self.edges.T
        to_users = _edge_weight([branch.to_users for branch in branches], self.edges, of_items)
        to_items = _edge_weight([branch.to_items for branch in branches], turned, of_users)
        layers = [(users, items)]
        for _ in range(self.config.layers):
            users, items = weighted_spmm(self.edges, to_users, items), weighted_spmm(turned, to_items, users)
            layers.append((users, items))
        return layers

    def _mean_squares(self, users: Tensor, items: Tensor) -> Tensor:
        """Of the triplets' identities, a user counting as often as the two items together, and of preferences."""
        identity = gather_rows(self.identity, torch.cat([users, users, items + self.n_users])).square().sum()
        means = [gather_rows(table, users).square().mean() for table in self.preferences]
        return torch.stack([identity / (len(items) * self.config.dim), *means]).sum()


def _edge_weight(attention: Sequence[Tensor], edges: EdgePattern, confidence: Tensor) -> Tensor:
    """The best-supported modality of every edge, not below 0: ``[E]`` each and senders' ``[cols, M]`` to ``[E]``."""
    trust = [gather_columns(edges, column) for column in confidence.unbind(dim=1)]
    votes = [alpha * share for alpha, share in zip(attention, trust, strict=True)]
    return F.relu(reduce(torch.maximum, votes))
