"""MGCN: features purified by behaviour, and a fuser guided by it."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch_geometric.data import HeteroData

from alignrec_geo.distributed import all_columns, column_table
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.graph.halves import user_item_block
from alignrec_geo.graph.item_knn import item_knn
from alignrec_geo.graph.modalities import Modality, modalities
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.gather import gather_rows
from alignrec_geo.kernels.infonce import infonce
from alignrec_geo.kernels.spmm import spmm
from alignrec_geo.kernels.triplet_loss import triplet_loss
from alignrec_geo.kernels.unique import distinct, take_first_ids, unique_with_counts, weight_of
from alignrec_geo.models.base import Batch, ModelConfig
from alignrec_geo.models.contributions import Branches
from alignrec_geo.models.fold_in import propagated_folding, root_degree
from alignrec_geo.models.graph_model import GraphRecommender
from alignrec_geo.nn import ModalityEncoder, init_linear, init_xavier, linear
from alignrec_geo.nn.behavior_fuser import BehaviorAwareFuser
from alignrec_geo.nn.by_rows import by_rows
from alignrec_geo.nn.column_linear import column_linear, linear_to_columns, one_map
from alignrec_geo.nn.conv import Conv, ConvNames
from alignrec_geo.nn.graph_layer import Norm, Residual
from alignrec_geo.nn.overrides import apply_overrides
from alignrec_geo.nn.propagation import Propagation
from alignrec_geo.nn.whole_rows import Wanted, whole_rows
from alignrec_geo.randomness import child_generator
from alignrec_geo.serving.folding import Folding, fitted_folding


class MGCNConfig(ModelConfig):
    """Settings of :class:`MGCN`."""

    search_space: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "cl_weight": (1e-3, 0.01, 0.1),
        "feature_scaling": ("none", "row"),
        "training.lr": (5e-4, 1e-3, 3e-3),
    }

    dim: int = Field(default=64, ge=1)
    """Width d of the embeddings."""
    layers: int = Field(default=2, ge=0, le=100)
    """Propagation layers L on the user-item graph."""
    item_layers: int = Field(default=1, ge=0, le=100)
    """Propagation layers n on the item-item graphs."""
    k: int = Field(default=10, ge=1)
    """Content neighbours per item and modality, the item itself included."""
    temperature: float = Field(default=0.2, gt=0.0)
    """Temperature of the contrastive loss."""
    cl_weight: float = Field(default=0.01, ge=0.0)
    """Weight of the contrastive loss between the two sides."""
    l2_weight: float = Field(default=1e-4, ge=0.0)
    """Weight of the squared norms of the fused rows."""
    train_features: bool = True
    """Train the feature matrices too (the item graphs stay as they are)."""
    feature_scaling: Literal["row", "none"] = "none"
    """``row``: unit rows per feature matrix; ``none``: as loaded."""
    user_item_conv: ConvNames = "light"
    """Layer of the user-item graph: a name, a class path, or one per layer."""
    item_item_conv: ConvNames = "light"
    """Layer of the item-item graphs, each modality with its own: a name, a class path, or one per layer."""
    conv_residual: Residual = "auto"
    """Add a layer's input to its output: always, never, or (auto) if the layer has a weight matrix."""
    conv_norm: Norm = "none"
    """Normalise a layer's output: none, layer (LayerNorm) or row (unit rows)."""


class Purifier(nn.Module):
    r"""The gate :math:`\sigma(G (W x + b) + b_G)` that behaviour opens for features.

    Shapes:
        - **input:** ``[n, D]``
        - **output:** ``[n, d]``
    """

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        self.projection = column_linear(width, dim)  # W, b
        self.gate = linear(dim, dim)  # G, b_G

    def forward(self, x: Tensor) -> Tensor:
        """Return the gate's values."""
        return torch.sigmoid(linear_to_columns(x, *one_map(self.gate, self.projection)))


class MGCNViews(NamedTuple):
    """The two sides of all nodes before they are fused."""

    behaviour: Tensor
    """``c``, ``[U + I, d]``, users first."""
    users: Tensor | None
    """``e_m`` of the users side by side, ``[U, M d]``; ``None`` without features."""
    items: Tensor | None
    """``e_m`` of the items side by side, ``[I, M d]``; ``None`` without features."""


class MGCN(GraphRecommender):
    r"""`"Multi-View Graph Convolutional Network for Multimedia Recommendation" <https://arxiv.org/abs/2308.03588>`_.

    With ID tables :math:`P, Q`, features :math:`F_m`, the normalised graph :math:`\hat A`, its user-item block
    :math:`\hat R` and the content graphs :math:`S_m`:

    .. math::
        c &= \tfrac{1}{L+1} \sum_{l=0}^{L} \hat A^l [P; Q] \\
        e_m &= [\hat R x_m; x_m], \qquad x_m = S_m^n \big( Q \odot \sigma(G_m (W_m F_m)) \big) \\
        z &= c + \text{BehaviorAwareFuser}(c, e), \qquad \text{score} = z_u^\top z_i

    The loss is BPR + L2 + λ_cl · InfoNCE between the two sides of the batch's users and positives (see
    :class:`~alignrec_geo.nn.behavior_fuser.BehaviorAwareFuser`). Sides are fused for the batch's nodes alone.

    Items without a modality have no view there: their row is zero and they are nobody's neighbour. A user has a
    modality if one of the training items has it. Nodes without any content have their behaviour only and no part in the
    contrastive loss; without any features the model is LightGCN.

    Args:
        data: the graph (see :func:`alignrec_geo.graph.to_hetero`).
        features: names of the item features to use; ``None`` takes all ``x_NAME``.
        config: settings; ``None`` takes the defaults.
        seed: seed of the initial parameters.
        user_item_conv: layer of the user-item graph in place of the configured one, see
            :data:`~alignrec_geo.nn.conv.Conv`.
        item_item_conv: layer of the item-item graphs, likewise.
        layers: propagation layers on the user-item graph; as many as ``user_item_conv`` lists, if it is a list.

    Raises:
        InputError: the graph lacks a feature, or a layer does not fit.
    """

    config_class = MGCNConfig
    columns_apart = True
    dense_maps = 2
    config: MGCNConfig
    present: Tensor | None

    def __init__(
        self,
        data: HeteroData,
        features: Sequence[str] | None = None,
        config: MGCNConfig | None = None,
        seed: int = 0,
        *,
        user_item_conv: Conv | None = None,
        item_item_conv: Conv | None = None,
        layers: int | None = None,
    ) -> None:
        given = {"user_item_conv": user_item_conv, "item_item_conv": item_item_conv}
        chosen, part = apply_overrides(self.settings(config), layers, **given)
        super().__init__(data, features, chosen)
        dim, parts = self.config.dim, modalities(data, self.features, self.config.feature_scaling)
        self.user_embedding = column_table(self.n_users, dim)  # P
        self.item_embedding = column_table(self.n_items, dim)  # Q
        self.user_item_graph: CSR = self.symmetric_graph()
        options = self.config.conv_residual, self.config.conv_norm
        self.user_item = Propagation(part["user_item_conv"], dim, self.config.layers, "user_item_conv", *options)
        if parts:
            purifiers = [Purifier(part.x.shape[1], dim) for part in parts]
            self.encoder = ModalityEncoder(parts, purifiers, self.config.train_features)
            self.fuser = BehaviorAwareFuser(len(parts), dim)
            self.item_to_user: CSR = user_item_block(self.user_item_graph, self.n_users)  # R̂
            self.item_graphs = {part.name: self._neighbours(part) for part in parts}  # S_m
            self.register_buffer("present", self._presence(parts), persistent=False)
            self.item_item = nn.ModuleList(
                Propagation(part["item_item_conv"], dim, self.config.item_layers, "item_item_conv", *options)
                for _ in parts
            )
        self.reset_parameters(child_generator(seed, "init"))

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the parameters anew; feature matrices stay as they are."""
        init_xavier(self.user_embedding, generator)
        init_xavier(self.item_embedding, generator)
        own = [self.encoder, self.fuser] if self.features else []
        for layer in (layer for part in own for layer in part.modules()):
            if isinstance(layer, nn.Linear):
                init_linear(layer, generator)
        for propagation in [self.user_item, *(self.item_item if self.features else [])]:
            propagation.reset_parameters(generator)

    def views(self) -> MGCNViews:
        """Return both sides of all nodes."""
        table = torch.cat([self.user_embedding, self.item_embedding])
        behaviour = self.user_item.mean(self.user_item_graph, table)
        if not self.features:
            return MGCNViews(behaviour, None, None)
        purified = []
        graphs, gates = self.item_graphs.values(), self.encoder()
        for number, (propagation, graph, gate) in enumerate(zip(self.item_item, graphs, gates, strict=True)):
            rows = propagation(graph, self.item_embedding * gate)
            # a layer with a bias would give items without the modality something
            purified.append(rows if propagation.plain else self.encoder.masked(number, rows))
        items = torch.cat(purified, dim=1)
        return MGCNViews(behaviour, spmm(self.item_to_user, items), items)

    def encode(self) -> Embeddings:
        """Return the fused tables ``z``, ``[U, d]`` and ``[I, d]``."""
        behaviour, side = self._sides()
        return self._tables(behaviour if side is None else behaviour + side)

    def branches(self) -> Branches:
        """Identity is behaviour, content the side that the fuser makes of the modalities."""
        behaviour, side = self._sides()
        return Branches(self._tables(behaviour), None if side is None else self._tables(side))

    @torch.no_grad()
    def folding(self) -> Folding | None:
        """Without features as :meth:`LightGCN's <alignrec_geo.models.LightGCN.folding>`; else see :meth:`fold_in`."""
        if not self.user_item.plain or self.pair_weight is not None:
            return fitted_folding(self.embeddings(), self.histories())
        return None if self.features else self._folded_behaviour()

    @torch.no_grad()
    def fold_in(self, histories: CSR) -> Tensor:
        """Return vectors of users whom the model was not trained on, ``[B, d]``.

        Behaviour, with an estimate of the user's own row, and views are propagated to the user as in
        :mod:`~alignrec_geo.models.fold_in`, and fused.
        """
        folding, items = self.folding(), self.views().items
        if folding is not None or items is None:
            return super().fold_in(histories)
        near = items * root_degree(self.user_item_graph, self.n_users)
        behaviour, content = self._folded_behaviour()(histories), Folding(near, "root")(histories)
        present = None
        if self.present is not None:
            present = Folding(self.present[self.n_users :].to(near.dtype), "mean")(histories) > 0.0
        side = self.fuser(behaviour, content.view(len(behaviour), len(self.features), -1), present)
        return behaviour + side  # type: ignore[no-any-return]

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return ``bpr``, ``l2`` and, with features, ``contrast``."""
        views = self.views()
        users, items = distinct(batch.users), distinct(torch.cat([batch.positives, batch.negatives]))
        nodes = torch.cat([users.ids, items.ids + self.n_users])
        place = torch.cat([users.places(), items.places() + len(users.ids)])
        fused = behaviour = whole_rows(Wanted(views.behaviour, nodes))[0]  # [n, d]
        terms: dict[str, Tensor] = {}
        if views.users is not None and views.items is not None:
            content = torch.cat([gather_rows(views.users, users.ids), gather_rows(views.items, items.ids)])
            present = None if self.present is None else self.present[nodes]
            side = self.fuser(behaviour, all_columns(content.view(len(nodes), len(self.features), -1)), present)
            fused = behaviour + side
            contrasts = [self._contrast(side, behaviour, rows, present) for rows in place.chunk(3)[:2]]
            terms["contrast"] = self.config.cl_weight * torch.stack(contrasts).sum()
        rows, positives, negatives = gather_rows(fused, place).chunk(3)  # [B, d] each
        pair = triplet_loss(rows, positives, negatives, batch.nominal_size)
        return {"bpr": pair.bpr, "l2": self.config.l2_weight * pair.l2, **terms}

    def _sides(self) -> tuple[Tensor, Tensor | None]:
        """Behaviour and the content side of all nodes, ``[U + I, d]``; ``None`` without features."""
        behaviour, users, items = self.views()
        if users is None or items is None:
            return behaviour, None
        content = torch.cat([users, items]).view(len(behaviour), len(self.features), -1)
        return behaviour, by_rows(self.fuser, behaviour, content, beside=(self.present,))

    def _tables(self, nodes: Tensor) -> Embeddings:
        return Embeddings(*nodes.split([self.n_users, self.n_items]))

    def _folded_behaviour(self) -> Folding:
        table, own = torch.cat([self.user_embedding, self.item_embedding]), self.own_rows(self.user_embedding)
        return propagated_folding(self.user_item_graph, table, self.config.layers, self.n_users, own)

    def _contrast(self, side: Tensor, behaviour: Tensor, rows: Tensor, present: Tensor | None) -> Tensor:
        """InfoNCE with the content side as the query; equal rows are computed once and weighted by their number."""
        repeats = unique_with_counts(rows, None if present is None else present[rows].any(dim=1))
        chosen = take_first_ids(rows, repeats)
        query, key = gather_rows(side, chosen), gather_rows(behaviour, chosen)
        return infonce(query, key, self.config.temperature, weight=weight_of(repeats))

    def _neighbours(self, part: Modality) -> CSR:
        return CSR.from_edge_index(*item_knn(part.x, part.present, self.config.k), (self.n_items, self.n_items))

    def _presence(self, parts: Sequence[Modality]) -> Tensor | None:
        """Which modalities every node has, ``[U + I, M]``; ``None`` if all items have all."""
        items = torch.stack([part.present for part in parts], dim=1)
        if bool(items.all()):
            return None
        user, item = self.pairs
        times = torch.zeros(self.n_users, len(parts)).index_add_(0, user, items[item].float())
        return torch.cat([times > 0.0, items])
