"""FREEDOM: a frozen item-item graph and a denoised user-item graph."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch_geometric.data import HeteroData

from alignrec_geo.distributed import column_table
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.graph.adjacency import symmetric_adjacency
from alignrec_geo.graph.item_knn import item_knn
from alignrec_geo.graph.modalities import Modality, modalities
from alignrec_geo.graph.pruned import pruned_adjacency
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.gather import gather_rows
from alignrec_geo.kernels.triplet_loss import triplet_loss
from alignrec_geo.kernels.unique import distinct
from alignrec_geo.models.base import Batch, ModelConfig
from alignrec_geo.models.contributions import Branches, UserPaths
from alignrec_geo.models.fold_in import propagated_folding
from alignrec_geo.models.graph_model import GraphRecommender
from alignrec_geo.nn import ModalityEncoder, init_linear, init_xavier
from alignrec_geo.nn.column_linear import column_linear
from alignrec_geo.nn.conv import Conv, ConvNames
from alignrec_geo.nn.graph_layer import Norm, Residual
from alignrec_geo.nn.overrides import apply_overrides
from alignrec_geo.nn.propagation import Propagation
from alignrec_geo.nn.whole_rows import Wanted, whole_rows
from alignrec_geo.randomness import child_generator
from alignrec_geo.serving.folding import Folding, fitted_folding

Weight = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]

IMAGE_WEIGHT = 0.1
"""Share of the images in the item graph where there is another modality, as in the paper's experiments."""


class FREEDOMConfig(ModelConfig):
    """Settings of :class:`FREEDOM`."""

    training_defaults: ClassVar[Mapping[str, Any]] = {"lr_decay": 1.0}
    search_space: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "pruning": (0.8, 0.9),
        "reg_weight": (0.0, 1e-5, 1e-4, 1e-3, 0.03),
        "feature_scaling": ("none", "row"),
        "training.lr": (5e-4, 1e-3, 3e-3),
    }

    dim: int = Field(default=64, ge=1)
    """Width d of the embeddings."""
    layers: int = Field(default=2, ge=0, le=100)
    """Propagation layers L on the user-item graph."""
    item_layers: int = Field(default=1, ge=0, le=100)
    """Propagation layers n on the item-item graph."""
    k: int = Field(default=10, ge=1)
    """Content neighbours per item and modality, the item itself included."""
    modality_weights: dict[str, Weight] | None = None
    """Share α of each modality in the item graph, by name; see :func:`modality_shares`."""
    pruning: float = Field(default=0.8, ge=0.0, lt=1.0)
    """Part ρ of the user-item edges that is left out, drawn anew every epoch."""
    reg_weight: float = Field(default=1e-3, ge=0.0)
    """Weight λ of the BPR loss on the projected features; 0 leaves that branch out."""
    train_features: bool = True
    """Train the feature matrices too (the item graph stays as it is)."""
    feature_scaling: Literal["row", "none"] = "none"
    """``row``: unit rows per feature matrix; ``none``: as loaded."""
    user_item_conv: ConvNames = "light"
    """Layer of the user-item graph: a name, a class path, or one per layer."""
    item_item_conv: ConvNames = "light"
    """Layer of the item-item graph: a name, a class path, or one per layer."""
    conv_residual: Residual = "auto"
    """Add a layer's input to its output: always, never, or (auto) if the layer has a weight matrix."""
    conv_norm: Norm = "none"
    """Normalise a layer's output: none, layer (LayerNorm) or row (unit rows)."""


class FREEDOM(GraphRecommender):
    r"""`"A Tale of Two Graphs: Freezing and Denoising Graph Structures for Multimodal Recommendation"
    <https://arxiv.org/abs/2211.06924>`_.

    With ID tables :math:`P, Q`, the normalised graph :math:`\hat A`, its pruned form :math:`\hat A_\rho` (see
    :func:`~alignrec_geo.graph.pruned.prune_edges`; drawn anew every epoch) and the graph :math:`S_m` of each item's
    ``k`` nearest neighbours in the features :math:`F_m`, all weighted alike:

    .. math::
        [\bar u; \bar q] &= \tfrac{1}{L+1} \sum_{l=0}^{L} \hat A_\rho^l [P; Q] \\
        i &= \bar q_i + (S^n Q)_i, \qquad S = \sum_m \alpha_m S_m \\
        \mathcal L &= \text{BPR}(\bar u^\top i) + \lambda \sum_m \text{BPR}(\bar u^\top W_m F_m)

    Scores use the whole graph :math:`\hat A` in place of :math:`\hat A_\rho`. There is no L2 term, as in the authors'
    code. :math:`W_m` has no bias: BPR compares two items, where it would cancel. A batch's items alone are projected.

    An item that lacks a modality has no neighbours there and is none; the modalities that it has share its whole
    weight. Its projection is the zero row. Without any features the model is LightGCN on pruned graphs.

    Args:
        data: the graph (see :func:`alignrec_geo.graph.to_hetero`).
        features: names of the item features to use; ``None`` takes all ``x_NAME``.
        config: settings; ``None`` takes the defaults.
        seed: seed of the initial parameters.
        user_item_conv: layer of the user-item graph in place of the configured one, see
            :data:`~alignrec_geo.nn.conv.Conv`.
        item_item_conv: layer of the item-item graph, likewise.
        layers: propagation layers on the user-item graph; as many as ``user_item_conv`` lists, if it is a list.

    Raises:
        InputError: the graph lacks a feature, ``modality_weights`` do not fit the features, or a layer does not fit.
    """

    config_class = FREEDOMConfig
    columns_apart = True
    config: FREEDOMConfig

    def __init__(
        self,
        data: HeteroData,
        features: Sequence[str] | None = None,
        config: FREEDOMConfig | None = None,
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
        projections = [column_linear(part.x.shape[1], dim, bias=False) for part in parts]  # W_m
        self.encoder = ModalityEncoder(parts, projections, self.config.train_features)
        self.graph: CSR = symmetric_adjacency(self.pairs, self.n_users, self.n_items, folder=self.graph_folder)
        self.training_graph = self.graph  # until the first epoch starts
        shares = modality_shares(self.features, self.config.modality_weights)
        self.item_graph = content_graph(parts, shares, self.config.k) if parts else None
        options = self.config.conv_residual, self.config.conv_norm
        self.user_item = Propagation(part["user_item_conv"], dim, self.config.layers, "user_item_conv", *options)
        item_layers = self.config.item_layers if parts else 0
        self.item_item = Propagation(part["item_item_conv"], dim, item_layers, "item_item_conv", *options)
        self.reset_parameters(child_generator(seed, "init"))

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the parameters anew; feature matrices stay as they are."""
        init_xavier(self.user_embedding, generator)
        init_xavier(self.item_embedding, generator)
        for layer in self.encoder.layers.modules():
            if isinstance(layer, nn.Linear):
                init_linear(layer, generator)
        self.user_item.reset_parameters(generator)
        self.item_item.reset_parameters(generator)

    def start_epoch(self, epoch: int, generator: torch.Generator) -> None:
        """Draw the edges of the training graph."""
        if self.config.pruning == 0.0:
            self.training_graph = self.graph
            return
        graph = pruned_adjacency(self.pairs, self.n_users, self.n_items, self.config.pruning, generator)
        table = self.item_embedding
        self.training_graph = graph.map(lambda part: part.to(table.device, table.dtype))

    def encode(self) -> Embeddings:
        """Return the tables of the whole graph, ``[U, d]`` and ``[I, d]``."""
        table = self._propagated(self.graph)
        users, items = table[: self.n_users], table[self.n_users :]
        similar = self._similar()
        return Embeddings(users, items if similar is None else items + similar)

    @torch.no_grad()
    def folding(self) -> Folding:
        """As :meth:`LightGCN's <alignrec_geo.models.LightGCN.folding>`, on the whole graph."""
        if not self.user_item.plain:
            return fitted_folding(self.embeddings(), self.histories())
        table, own = torch.cat([self.user_embedding, self.item_embedding]), self.own_rows(self.user_embedding)
        return propagated_folding(self.graph, table, self.config.layers, self.n_users, own)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return ``bpr`` and, with features and a ``reg_weight``, ``content``."""
        chosen = torch.cat([batch.positives, batch.negatives])
        nodes = torch.cat([batch.users, chosen + self.n_users])
        wanted = [Wanted(self._propagated(self.training_graph), nodes)]
        similar = self._similar()
        if similar is not None:
            wanted.append(Wanted(similar, chosen))
        rows, *near = whole_rows(*wanted)
        user, positive, negative = rows.chunk(3)  # [B, d] each
        if near:
            near_positive, near_negative = near[0].chunk(2)
            positive, negative = positive + near_positive, negative + near_negative
        terms = {"bpr": triplet_loss(user, positive, negative, batch.nominal_size).bpr}
        if self.features and self.config.reg_weight > 0.0:
            found = distinct(chosen)
            losses = []
            for rows in self._projected(found.ids):
                liked, other = found.spread(rows).chunk(2)
                losses.append(triplet_loss(user, liked, other, batch.nominal_size).bpr)
            terms["content"] = self.config.reg_weight * torch.stack(losses).sum()
        return terms

    def branches(self) -> Branches:
        r"""Content is what comes over the item graph, :math:`S^n Q`; users have none."""
        users, items = self._propagated(self.graph).split([self.n_users, self.n_items])
        similar = self._similar()
        content = None if similar is None else Embeddings(torch.zeros_like(users), similar)
        return Branches(Embeddings(users, items), content)

    def user_paths(self, user: int) -> UserPaths | None:
        """By past items; exact with the default layer of the user-item graph."""
        if not self.user_item.plain:
            return None
        users, items, layers = self.user_embedding, self.item_embedding, self.config.layers
        return UserPaths.propagated(self.graph, users, items, user, layers)

    def _propagated(self, graph: CSR) -> Tensor:
        return self.user_item.mean(graph, torch.cat([self.user_embedding, self.item_embedding]))

    def _similar(self) -> Tensor | None:
        """``S^n Q``, ``[I, d]``; ``None`` without features."""
        if self.item_graph is None:
            return None
        rows: Tensor = self.item_item(self.item_graph, self.item_embedding)
        return rows

    def _projected(self, items: Tensor) -> list[Tensor]:
        """``W_m F_m`` of some items, ``[n, d]`` per modality; zero rows where an item lacks it."""
        layers, tables = self.encoder.layers, self.encoder.tables
        return [
            layer(gather_rows(table, items)) * self.encoder.present(number)[items, None]
            for number, (layer, table) in enumerate(zip(layers, tables, strict=True))
        ]


def modality_shares(names: Sequence[str], weights: Mapping[str, float] | None = None) -> dict[str, float]:
    """Return each modality's share of the item graph; together they are 1.

    Modalities without a weight share what the weights leave of 1 equally. Where every modality has a weight, only the
    weights' proportions count.

    Args:
        names: the modalities in use.
        weights: by name; ``None`` gives ``image`` 0.1 if there are others beside it, and equal shares otherwise.

    Raises:
        InputError: a name is not in use, the weights leave less than nothing to the others, or all are 0.

    Example:
        >>> modality_shares(["image", "text"])
        {'image': 0.1, 'text': 0.9}
        >>> modality_shares(["image", "text", "audio"], {"image": 0.5})
        {'image': 0.5, 'text': 0.25, 'audio': 0.25}
        >>> modality_shares(["image", "text"], {"image": 1, "text": 3})
        {'image': 0.25, 'text': 0.75}
    """
    given = ({"image": IMAGE_WEIGHT} if "image" in names else {}) if weights is None else dict(weights)
    for name in given:
        if name not in names:
            raise InputError(f"modality_weights name an unused feature (got '{name}'); in use: {', '.join(names)}")
    others = [name for name in names if name not in given]
    rest = 1.0 - sum(given.values())
    if others and rest < 0.0:
        raise InputError(f"modality_weights leave nothing to '{others[0]}' (got a sum of {1.0 - rest:g}, at most 1)")
    chosen = {name: given[name] if name in given else rest / len(others) for name in names}
    total = sum(chosen.values())
    if names and total == 0.0:
        raise InputError("modality_weights are all 0; at least one must be positive")
    return {name: weight / total for name, weight in chosen.items()}


def content_graph(parts: Sequence[Modality], shares: Mapping[str, float], k: int) -> CSR:
    r"""Return :math:`S = \sum_m \alpha_m S_m`, the frozen item-item graph, ``[I, I]``.

    :math:`S_m` is the mean over an item's ``k`` nearest neighbours by cosine in modality ``m``. Each row's weights add
    up to 1: the modalities that an item has share its whole weight.

    Args:
        parts: the modalities, at least one.
        shares: :math:`\alpha_m`, by name.
        k: neighbours per item, the item itself included.
    """
    graphs = [item_knn(part.x, part.present, k, uniform=True) for part in parts]
    neighbour, centre = torch.cat([edge_index for edge_index, _ in graphs], dim=1)
    weight = torch.cat([shares[part.name] * mean for part, (_, mean) in zip(parts, graphs, strict=True)])
    n_items = len(parts[0].x)
    total = torch.zeros(n_items).index_add_(0, centre, weight)
    used = weight > 0.0
    neighbour, centre, weight = neighbour[used], centre[used], weight[used]
    return CSR.from_coo(centre, neighbour, weight / total[centre], (n_items, n_items))
