"""AlignRec, stage 2: content-ID and user-item alignment trained together."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, Self

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from torch_geometric.data import HeteroData

from alignrec_geo.dataset.store import Dataset
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.graph.adjacency import bipartite_adjacency, symmetric_adjacency
from alignrec_geo.graph.content import Scaling, item_content
from alignrec_geo.graph.hetero import SIMILAR, to_hetero
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.gather import gather_rows
from alignrec_geo.kernels.infonce import infonce
from alignrec_geo.kernels.pair_loss import pair_loss
from alignrec_geo.kernels.repeats import Repeats, find_repeats
from alignrec_geo.kernels.similarity_gap import similarity_gap
from alignrec_geo.kernels.spmm import mean_propagation
from alignrec_geo.models.base import Batch, ModelConfig
from alignrec_geo.models.graph_model import GraphRecommender
from alignrec_geo.nn.init import init_linear
from alignrec_geo.nn.light_conv import LightConv
from alignrec_geo.randomness import child_generator


class AlignRecConfig(ModelConfig):
    """Settings of :class:`AlignRec`."""

    search_space: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "cca_weight": (1e-3, 5e-3, 0.01, 0.1),
        "reg_weight": (0.1, 0.2, 0.3),
        "uia_weight": (0.0, 0.1, 0.3),
        "training.lr": (5e-4, 1e-3, 3e-3),
    }

    dim: int = Field(default=64, ge=1)
    """Width d of the embeddings."""
    layers: int = Field(default=2, ge=0)
    """Propagation layers L on the user-item graph."""
    item_layers: int = Field(default=1, ge=0)
    """Propagation layers n on the item-item graph."""
    k: int = Field(default=10, ge=1)
    """Content neighbours per item, the item itself included."""
    train_features: bool = True
    """Train the content vectors too; frozen vectors save most of the memory."""
    feature_scaling: Scaling = "auto"
    """``row``: unit rows per feature matrix; ``none``: as loaded; ``auto``: ``row`` if there are several."""
    temperature: float = Field(default=0.2, gt=0.0)
    """Temperature of the content-ID alignment."""
    cca_weight: float = Field(default=0.01, ge=0.0)
    """Weight of the content-ID alignment (CCA)."""
    uia_weight: float = Field(default=0.1, ge=0.0)
    """Weight of the user-item alignment (UIA)."""
    reg_weight: float = Field(default=0.1, ge=0.0)
    """Weight of the similarity regulariser (REG)."""
    l2_weight: float = Field(default=1e-4, ge=0.0)
    """Weight of the squared norms of the fused rows."""
    anchor: Literal["initial", "current"] = "initial"
    """Which content vectors the regulariser compares with: as loaded, or as trained so far."""


class Views(NamedTuple):
    """The two branches on all nodes."""

    identity: Tensor
    """``c``, ``[U + I, d]``, users first."""
    content_users: Tensor | None
    """``m_U``, ``[U, d]``; ``None`` without features."""
    content_items: Tensor | None
    """``m_I``, ``[I, d]``; ``None`` without features."""


class AlignRec(GraphRecommender):
    r"""`"AlignRec: Aligning and Training in Multimodal Recommendations" <https://arxiv.org/abs/2403.12384>`_.

    With ID tables :math:`P, Q`, content vectors :math:`x_i`, the normalised graph :math:`\hat A`, its user-item block
    :math:`\hat R` and the content graph :math:`S`:

    .. math::
        c &= \tfrac{1}{L+1} \sum_{l=0}^{L} \hat A^l [P; Q] \\
        m^0_i &= Q_i \odot \sigma(G (W x_i + b) + b_G), \quad m_I = S^n m^0, \quad m_U = \hat R\, m_I \\
        h &= c + m, \qquad \text{score} = h_u^\top h_i

    The loss is BPR + L2 + λ_cca · CCA + λ_uia · UIA + λ_reg · REG, all from one propagation: CCA is InfoNCE between
    content and identity of the batch's positives and users, UIA is one minus the cosine of users and positives, REG
    keeps the inner products of the content branch near the cosines of the content vectors. Items without content take
    part through their identity only; without any features the model is its ID branch.

    Args:
        data: the graph (see :func:`alignrec_geo.graph.to_hetero`); its ``("item", "similar", "item")`` edges are
            :math:`S`.
        features: names of the item features to use; ``None`` takes all ``x_NAME``.
        config: settings; ``None`` takes the defaults.
        seed: seed of the initial parameters.

    Raises:
        InputError: the graph lacks a feature.
    """

    config_class = AlignRecConfig
    config: AlignRecConfig
    present: Tensor | None
    anchor: Tensor | None
    anchor_scale: Tensor

    def __init__(
        self,
        data: HeteroData,
        features: Sequence[str] | None = None,
        config: AlignRecConfig | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(data, features, config)
        dim = self.config.dim
        self.user_embedding = nn.Parameter(torch.empty(self.n_users, dim))  # P
        self.item_embedding = nn.Parameter(torch.empty(self.n_items, dim))  # Q
        self.user_item_graph: CSR = symmetric_adjacency(self.pairs, self.n_users, self.n_items)
        self.conv = LightConv()
        if self.features:
            x, present = item_content(data, self.features, self.config.feature_scaling)
            self.content = nn.Parameter(x.clone(), requires_grad=self.config.train_features)  # x
            self.projection = nn.Linear(x.shape[1], dim)  # W, b
            self.gate = nn.Linear(dim, dim)  # G
            anchor = x if self.config.anchor == "initial" and self.config.train_features else None
            self.register_buffer("present", None if bool(present.all()) else present, persistent=False)
            self.register_buffer("anchor", anchor, persistent=False)  # x as loaded, where x trains
            self.register_buffer("anchor_scale", 1.0 / x.norm(dim=1, keepdim=True).clamp(min=1e-12), persistent=False)
            self.item_to_user: CSR = bipartite_adjacency(self.pairs, self.n_users, self.n_items)  # R̂
            (neighbour, centre), weight = data[SIMILAR].edge_index, data[SIMILAR].edge_weight
            self.item_graph: CSR = CSR.from_coo(centre, neighbour, weight, (self.n_items, self.n_items))  # S
        self.reset_parameters(child_generator(seed, "init"))

    @classmethod
    def build(cls, dataset: Dataset, features: Sequence[str], config: AlignRecConfig, seed: int) -> Self:
        """Make the graph of the data set, then the model."""
        data = to_hetero(dataset, features, k=config.k, scaling=config.feature_scaling)
        return cls(data, features, config, seed)

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the parameters anew; content vectors stay as they are."""
        nn.init.xavier_uniform_(self.user_embedding, generator=generator)
        nn.init.xavier_uniform_(self.item_embedding, generator=generator)
        for layer in (self.projection, self.gate) if self.features else ():
            init_linear(layer, generator)

    def views(self) -> Views:
        """Return both branches of all nodes from one propagation."""
        table = torch.cat([self.user_embedding, self.item_embedding])  # [N, d]
        identity = mean_propagation(self.user_item_graph, table, self.config.layers)
        return Views(identity, *(self._content_views() if self.features else (None, None)))

    def encode(self) -> Embeddings:
        """Return the fused tables ``h``, ``[U, d]`` and ``[I, d]``."""
        identity, content_users, content_items = self.views()
        users, items = identity[: self.n_users], identity[self.n_users :]
        if content_users is None or content_items is None:
            return Embeddings(users, items)
        return Embeddings(users + content_users, items + content_items)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms ``bpr``, ``l2``, ``uia`` and, with features, ``cca`` and ``reg``."""
        config, views = self.config, self.views()
        items = torch.cat([batch.positives, batch.negatives])
        nodes = torch.cat([batch.users, items + self.n_users])
        identity = gather_rows(views.identity, nodes).chunk(3)  # user, positive, negative: [B, d] each
        content: tuple[Tensor, ...] | None = None
        if views.content_users is not None and views.content_items is not None:
            content = (gather_rows(views.content_users, batch.users), *gather_rows(views.content_items, items).chunk(2))
        user, positive, negative = (
            identity if content is None else (c + m for c, m in zip(identity, content, strict=True))
        )
        pair = pair_loss(user, positive, negative, batch.nominal_size)
        terms = {"bpr": pair.bpr, "l2": config.l2_weight * pair.l2, "uia": config.uia_weight * pair.uia}
        if content is not None:
            users, positives = find_repeats(batch.users), self._distinct_with_content(batch.positives)
            rows = positives.first
            terms["cca"] = config.cca_weight * (
                self._alignment(content[0], identity[0], users) + self._alignment(content[1], identity[1], positives)
            )
            anchor = self._anchor_rows(batch.positives[rows])
            terms["reg"] = config.reg_weight * similarity_gap(gather_rows(content[1], rows), anchor, positives.times)
        return terms

    def _content_views(self) -> tuple[Tensor, Tensor]:
        # G (W x + b) + b_G as one map of x: the product G W is tiny
        weight = self.gate.weight @ self.projection.weight  # [d, D]
        bias = self.gate.weight @ self.projection.bias + self.gate.bias  # [d]
        items = self.item_embedding * torch.sigmoid(F.linear(self.content, weight, bias))  # [I, d]
        if self.present is not None:
            items = items * self.present[:, None]
        for _ in range(self.config.item_layers):
            items = self.conv(items, self.item_graph)
        return self.conv(items, self.item_to_user), items  # [U, d], [I, d]

    def _distinct_with_content(self, items: Tensor) -> Repeats:
        """The distinct items of a batch that have content: the others have nothing to align."""
        repeats = find_repeats(items)
        if self.present is None:
            return repeats
        kept = self.present[items[repeats.first]]
        return Repeats(repeats.first[kept], repeats.times[kept])

    def _alignment(self, content: Tensor, identity: Tensor, repeats: Repeats) -> Tensor:
        """InfoNCE with the content branch as the query; equal rows are computed once and weighted by their number."""
        query, key = gather_rows(content, repeats.first), gather_rows(identity, repeats.first)
        return infonce(query, key, self.config.temperature, weight=repeats.times)

    def _anchor_rows(self, items: Tensor) -> Tensor:
        """Unit content vectors of a batch, ``[B, D]``."""
        if self.config.anchor == "current":
            return F.normalize(self.content.detach()[items], dim=1)
        source = self.content.detach() if self.anchor is None else self.anchor
        return source[items].mul_(self.anchor_scale[items])
