"""LightGCN: embeddings smoothed over the user-item graph."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch_geometric.data import HeteroData

from alignrec_geo.distributed import column_table
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.triplet_loss import triplet_loss
from alignrec_geo.models.base import Batch, ModelConfig
from alignrec_geo.models.contributions import Branches, UserPaths
from alignrec_geo.models.fold_in import propagated_folding
from alignrec_geo.models.graph_model import GraphRecommender
from alignrec_geo.nn.conv import Conv, ConvNames
from alignrec_geo.nn.graph_layer import Norm, Residual
from alignrec_geo.nn.init import init_xavier
from alignrec_geo.nn.overrides import apply_overrides
from alignrec_geo.nn.penalties import norm_penalty
from alignrec_geo.nn.propagation import Propagation
from alignrec_geo.nn.whole_rows import Wanted, whole_rows
from alignrec_geo.randomness import child_generator
from alignrec_geo.serving.folding import Folding, fitted_folding


class LightGCNConfig(ModelConfig):
    """Settings of :class:`LightGCN`."""

    training_defaults: ClassVar[Mapping[str, Any]] = {"lr_decay": 1.0}
    search_space: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "layers": (1, 2, 3, 4),
        "reg_weight": (1e-5, 1e-4, 1e-3, 0.01),
        "training.lr": (5e-4, 1e-3, 3e-3),
    }

    dim: int = Field(default=64, ge=1)
    """Width d of the embeddings."""
    layers: int = Field(default=2, ge=0, le=100)
    """Propagation layers L on the user-item graph."""
    reg_weight: float = Field(default=1e-4, ge=0.0)
    """Weight of the norms of a batch's rows before propagation."""
    user_item_conv: ConvNames = "light"
    """Layer of the user-item graph: a name, a class path, or one per layer."""
    conv_residual: Residual = "auto"
    """Add a layer's input to its output: always, never, or (auto) if the layer has a weight matrix."""
    conv_norm: Norm = "none"
    """Normalise a layer's output: none, layer (LayerNorm) or row (unit rows)."""


class LightGCN(GraphRecommender):
    r"""`"LightGCN: Simplifying and Powering Graph Convolution Network" <https://arxiv.org/abs/2002.02126>`_.

    The mean of all layers of a propagation without weights, on the normalised graph :math:`\hat A` (another layer may
    take its place):

    .. math::
        Z &= \tfrac{1}{L+1} \sum_{l=0}^{L} \hat A^l [P; Q], \qquad \text{score}(u, i) = Z_u^\top Z_i \\
        \mathcal L &= -\tfrac1B \sum \log \sigma(Z_u^\top Z_{i^+} - Z_u^\top Z_{i^-})
            + \tfrac{\lambda}{B} (\|P_u\|_F + \|Q_{i^+}\|_F + \|Q_{i^-}\|_F)

    with the norms over all rows of the batch. As in the field's toolbox these norms are not squared and both tables
    start Xavier-uniform, each by itself; the paper squares the norms and starts from a narrow normal distribution, so
    values of λ cannot be carried over. A node without training pairs keeps its own row over :math:`L + 1`.

    Args:
        data: the graph (see :func:`alignrec_geo.graph.to_hetero`).
        features: not used; the model has IDs only.
        config: settings; ``None`` takes the defaults.
        seed: seed of the initial parameters.
        user_item_conv: layer of the user-item graph in place of the configured one, see
            :data:`~alignrec_geo.nn.conv.Conv`.
        layers: propagation layers on the user-item graph; as many as ``user_item_conv`` lists, if it is a list.

    Raises:
        InputError: a layer does not fit.
    """

    config_class = LightGCNConfig
    columns_apart = True
    uses_features = False
    config: LightGCNConfig

    def __init__(
        self,
        data: HeteroData,
        features: Sequence[str] | None = None,
        config: LightGCNConfig | None = None,
        seed: int = 0,
        *,
        user_item_conv: Conv | None = None,
        layers: int | None = None,
    ) -> None:
        chosen, part = apply_overrides(self.settings(config), layers, user_item_conv=user_item_conv)
        super().__init__(data, features, chosen)
        self.user_embedding = column_table(self.n_users, self.config.dim)  # P
        self.item_embedding = column_table(self.n_items, self.config.dim)  # Q
        self.user_item_graph: CSR = self.symmetric_graph()
        options = chosen.conv_residual, chosen.conv_norm
        self.user_item = Propagation(part["user_item_conv"], chosen.dim, chosen.layers, "user_item_conv", *options)
        self.reset_parameters(child_generator(seed, "init"))

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the parameters anew."""
        init_xavier(self.user_embedding, generator)
        init_xavier(self.item_embedding, generator)
        self.user_item.reset_parameters(generator)

    def encode(self) -> Embeddings:
        """Return the propagated tables ``Z``, ``[U, d]`` and ``[I, d]``."""
        nodes = self._propagate(torch.cat([self.user_embedding, self.item_embedding]))
        return Embeddings(nodes[: self.n_users], nodes[self.n_users :])

    @torch.no_grad()
    def folding(self) -> Folding:
        """Propagation to a new user, exact but for the user's own row, which is estimated; see
        :mod:`~alignrec_geo.models.fold_in`. With layers or edge weights of one's own all is regressed.
        """
        if not self.user_item.plain or self.pair_weight is not None:
            return fitted_folding(self.embeddings(), self.histories())
        table, own = torch.cat([self.user_embedding, self.item_embedding]), self.own_rows(self.user_embedding)
        return propagated_folding(self.user_item_graph, table, self.config.layers, self.n_users, own)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms ``bpr`` and ``reg``."""
        return self.terms(batch, whole_rows(*self.wanted(batch)))

    def wanted(self, batch: Batch) -> list[Wanted]:
        """The rows of a batch that its loss looks at: propagated, and as they are."""
        table = torch.cat([self.user_embedding, self.item_embedding])  # [N, d]
        nodes = torch.cat([batch.users, batch.positives + self.n_users, batch.negatives + self.n_users])
        return [Wanted(self._propagate(table), nodes), Wanted(table, nodes)]

    def terms(self, batch: Batch, rows: Sequence[Tensor]) -> dict[str, Tensor]:
        """The terms of a batch from the rows that are :meth:`wanted`, ``[3 B, d]`` each."""
        propagated, initial = rows
        user, positive, negative = propagated.chunk(3)
        return {
            "bpr": triplet_loss(user, positive, negative, batch.nominal_size).bpr,
            "reg": self.config.reg_weight * norm_penalty(*initial.chunk(3)),
        }

    @property
    def batch_layout(self) -> tuple[int, ...]:
        """Rows per triplet of each of the :meth:`wanted` tables."""
        return 3, 3

    def branches(self) -> Branches:
        """All is identity."""
        return Branches(self.encode())

    def user_paths(self, user: int) -> UserPaths | None:
        """By past items; exact with the default layer."""
        if not self.user_item.plain:
            return None
        users, items, layers = self.user_embedding, self.item_embedding, self.config.layers
        return UserPaths.propagated(self.user_item_graph, users, items, user, layers)

    def _propagate(self, table: Tensor) -> Tensor:
        return self.user_item.mean(self.user_item_graph, table)
