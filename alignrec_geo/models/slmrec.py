"""SLMRec: self-supervised contrasts between the modalities' views of the items."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from torch_geometric.data import HeteroData

from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.graph.modalities import modalities
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.dot_contrast import dot_contrast
from alignrec_geo.kernels.gather import gather_rows
from alignrec_geo.kernels.infonce import infonce
from alignrec_geo.kernels.spmm import mean_propagation
from alignrec_geo.kernels.unique import Unique, keep_counted, unique_with_counts
from alignrec_geo.models.base import Batch, ModelConfig
from alignrec_geo.models.contributions import BIAS, CONTENT, Branches, UserPaths
from alignrec_geo.models.fold_in import propagated_folding
from alignrec_geo.models.graph_model import GraphRecommender
from alignrec_geo.nn.init import init_linear, init_xavier, linear
from alignrec_geo.nn.modality_encoder import ModalityEncoder
from alignrec_geo.randomness import child_generator
from alignrec_geo.serving.folding import Folding, fitted_folding


class SLMRecConfig(ModelConfig):
    """Settings of :class:`SLMRec`."""

    training_defaults: ClassVar[Mapping[str, Any]] = {"lr_decay": 1.0, "weight_decay": 1e-4}
    search_space: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "ssl_temperature": (0.1, 0.2, 0.5, 1.0),
        "ssl_weight": (0.01, 0.05, 0.1, 0.5, 1.0),
        "training.lr": (5e-4, 1e-3, 3e-3),
    }

    dim: int = Field(default=64, ge=2)
    """Width d of the embeddings."""
    layers: int = Field(default=3, ge=0, le=100)
    """Propagation layers L on the user-item graph."""
    temperature: float = Field(default=0.2, gt=0.0)
    """Temperature τ of the recommendation loss."""
    ssl_temperature: float = Field(default=0.2, gt=0.0)
    """Temperature of the contrasts between modalities."""
    ssl_weight: float = Field(default=0.01, ge=0.0)
    """Weight of the contrasts between modalities."""


class SLMRec(GraphRecommender):
    r"""`"Self-Supervised Learning for Multimedia Recommendation" <https://doi.org/10.1109/TMM.2022.3187556>`_, task FAC
    (feature fine and coarse spaces).

    With ID tables :math:`P, Q`, features :math:`F_m` with unit rows, and :math:`\hat A` the normalised graph:

    .. math::
        v_0 &= \tfrac{1}{L+1} \sum_{l=0}^{L} \hat A^l [P; Q], \quad
        v_m = \tfrac{1}{L+1} \sum_{l=0}^{L} \hat A^l [P; W_m F_m + b_m] \\
        h_u &= \text{fuse}_U [v_0 \| v_1 \| \dots]_u, \quad h_i = \text{fuse}_I [v_0 \| v_1 \| \dots]_i, \quad
        \text{score} = h_u^\top h_i

    The loss is InfoNCE between :math:`h` of users and their positives, with in-batch negatives only, plus
    ``ssl_weight`` times the contrasts of the positives' views. The first aligns the IDs, :math:`z_1 = g_1 v_0`, with
    the first modality; every further modality m is aligned with what has been fused before, :math:`z_m = g_m z_{m-1}`,
    both projected to d/2. Contrasts take plain dot products; a bias of the keys would cancel in their softmax, so the
    keys' projections have none. An item that lacks a modality starts from a zero row there and is left out of that
    modality's contrast; the fusion always sees all modalities. Training compares directions, the score is the plain
    dot product, as in the public reference code.

    Args:
        data: the graph (see :func:`alignrec_geo.graph.to_hetero`).
        features: names of the item features to use, in the order in which they are fused; ``None`` takes all
            ``x_NAME``.
        config: settings; ``None`` takes the defaults.
        seed: seed of the initial parameters.

    Raises:
        InputError: the graph lacks a feature, or there is none.
    """

    config_class = SLMRecConfig
    dense_maps = 2
    config: SLMRecConfig

    def __init__(
        self,
        data: HeteroData,
        features: Sequence[str] | None = None,
        config: SLMRecConfig | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(data, features, config)
        if not self.features:
            raise InputError("SLMRec contrasts modalities: it needs at least one feature matrix (got none)")
        dim, further = self.config.dim, len(self.features) - 1
        parts = modalities(data, self.features, "row")
        self.user_embedding = nn.Parameter(torch.empty(self.n_users, dim))  # P
        self.item_embedding = nn.Parameter(torch.empty(self.n_items, dim))  # Q
        self.encoder = ModalityEncoder(parts, [linear(part.x.shape[1], dim) for part in parts])  # W, b
        self.fuse_users = linear((1 + len(parts)) * dim, dim)
        self.fuse_items = linear((1 + len(parts)) * dim, dim)
        self.chain = nn.ModuleList(linear(dim, dim) for _ in parts)  # g
        self.queries = nn.ModuleList(linear(dim, dim // 2) for _ in range(further))
        self.keys = nn.ModuleList(linear(dim, dim // 2 if m else dim, bias=False) for m in range(len(parts)))
        self.graph: CSR = self.symmetric_graph()
        self.reset_parameters(child_generator(seed, "init"))

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the parameters anew."""
        for table in (self.user_embedding, self.item_embedding):
            init_xavier(table, generator)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                init_linear(layer, generator, "xavier_uniform")

    def views(self) -> Tensor:
        """Return the views ``v`` of all nodes side by side, ``[U + I, (1 + M) d]``, IDs first."""
        return mean_propagation(self.graph, self._start(), self.config.layers)

    def encode(self) -> Embeddings:
        """Return the fused tables ``h``, ``[U, d]`` and ``[I, d]``."""
        views = self.views()
        return Embeddings(self.fuse_users(views[: self.n_users]), self.fuse_items(views[self.n_users :]))

    def branches(self) -> Branches:
        """Content is what starts at the features, in whichever view; the fusions' biases are neither."""
        users, identity, content = self._inputs()
        return Branches(self._fused(users, identity), self._fused(torch.zeros_like(users), content))

    def user_paths(self, user: int) -> UserPaths:
        """By past items."""
        users, identity, content = self._inputs()
        layers, blank = self.config.layers, torch.zeros_like(users)
        paths = UserPaths.propagated(self.graph, users, identity, user, layers)
        paths = paths + UserPaths.propagated(self.graph, blank, content, user, layers, CONTENT)
        fused = paths.map(lambda rows: F.linear(rows, self.fuse_users.weight))
        return fused + UserPaths.of(BIAS, self.fuse_users.bias)

    @torch.no_grad()
    def folding(self) -> Folding:
        """As :meth:`LightGCN's <alignrec_geo.models.LightGCN.folding>`, view by view, then the fusion."""
        if self.pair_weight is not None:
            return fitted_folding(self.embeddings(), self.histories())
        own = self.own_rows(self.user_embedding).map(lambda rows: rows.repeat(1, 1 + len(self.features)))
        user = propagated_folding(self.graph, self._start(), self.config.layers, self.n_users, own)
        return replace(user.map(lambda rows: rows @ self.fuse_users.weight.T), bias=self.fuse_users.bias)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms ``infonce`` and ``ssl``; negatives of the batch are not used."""
        nodes = torch.cat([batch.users, batch.positives + self.n_users])
        user, item = gather_rows(self.views(), nodes).chunk(2)  # [B, (1 + M) d] each
        return {
            "infonce": infonce(self.fuse_users(user), self.fuse_items(item), self.config.temperature),
            "ssl": self.config.ssl_weight * self._contrasts(item, batch.positives),
        }

    def _inputs(self) -> tuple[Tensor, Tensor, Tensor]:
        """Users' rows, and the identity's and the content's share of the items' rows, all views side by side."""
        content = self.encoder()  # [I, d] each
        users = self.user_embedding.repeat(1, 1 + len(content))
        identity = torch.cat([self.item_embedding, *map(torch.zeros_like, content)], dim=1)
        return users, identity, torch.cat([torch.zeros_like(self.item_embedding), *content], dim=1)

    def _fused(self, users: Tensor, items: Tensor) -> Embeddings:
        """Propagated and fused without the biases."""
        rows = mean_propagation(self.graph, torch.cat([users, items]), self.config.layers)
        users, items = rows.split([self.n_users, self.n_items])
        return Embeddings(F.linear(users, self.fuse_users.weight), F.linear(items, self.fuse_items.weight))

    def _start(self) -> Tensor:
        """What is propagated, ``[U + I, (1 + M) d]``."""
        users = self.user_embedding.repeat(1, 1 + len(self.features))
        return torch.cat([users, torch.cat([self.item_embedding, *self.encoder()], dim=1)])

    def _contrasts(self, views: Tensor, items: Tensor) -> Tensor:
        """The sum of the contrasts over the distinct items of a batch, each counted as often as it occurs."""
        index, counts = unique_with_counts(items)
        places = torch.arange(len(index), device=index.device)
        fused, *modal = gather_rows(views, index).chunk(1 + len(self.features), dim=1)  # [n, d] each
        losses = []
        for number, (step, view, key) in enumerate(zip(self.chain, modal, self.keys, strict=True)):
            fused = step(fused)
            query = self.queries[number - 1](fused) if number else fused
            kept, times = keep_counted(Unique(places, counts), self.encoder.present(number)[items[index]])
            pair = gather_rows(query, kept), gather_rows(key(view), kept)
            losses.append(dot_contrast(*pair, self.config.ssl_temperature, times))
        return torch.stack(losses).sum()
