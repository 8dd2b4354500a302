"""VBPR: matrix factorisation whose items also carry a projection of their content."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch_geometric.data import HeteroData

from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.graph.modalities import modalities
from alignrec_geo.kernels.gather import gather_rows
from alignrec_geo.kernels.triplet_loss import triplet_loss
from alignrec_geo.kernels.unique import distinct
from alignrec_geo.models.base import Batch, ModelConfig
from alignrec_geo.models.contributions import OWN, Branches, UserPaths
from alignrec_geo.models.graph_model import GraphRecommender
from alignrec_geo.nn.init import init_linear, init_xavier, linear
from alignrec_geo.nn.penalties import norm_penalty
from alignrec_geo.randomness import child_generator


class VBPRConfig(ModelConfig):
    """Settings of :class:`VBPR`."""

    training_defaults: ClassVar[Mapping[str, Any]] = {"lr_decay": 1.0}
    search_space: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "reg_weight": (1e-4, 1e-3, 0.01, 0.1, 1.0, 2.0),
        "feature_scaling": ("none", "row"),
        "training.lr": (5e-4, 1e-3, 3e-3),
    }

    dim: int = Field(default=64, ge=1)
    """Width d of the item embeddings and of the projected content; users have both halves, 2 d."""
    feature_scaling: Literal["row", "none"] = "none"
    """``row``: unit rows per feature matrix; ``none``: as loaded."""
    reg_weight: float = Field(default=1e-4, ge=0.0)
    """Weight of the norms of a batch's rows, projected content included."""


class VBPR(GraphRecommender):
    r"""`"VBPR: Visual Bayesian Personalized Ranking from Implicit Feedback" <https://arxiv.org/abs/1510.01784>`_.

    With the feature matrices side by side, :math:`F_i`:

    .. math::
        v_i &= [Q_i \,\|\, W F_i + b], \qquad \text{score}(u, i) = P_u^\top v_i \\
        \mathcal L &= -\tfrac1B \sum \log \sigma(P_u^\top v_{i^+} - P_u^\top v_{i^-})
            + \tfrac{\lambda}{B} (\|P_u\|_F + \|v_{i^+}\|_F + \|v_{i^-}\|_F)

    with the norms over all rows of the batch; :math:`W` itself is not penalised and the features are frozen. As in the
    field's toolbox any modality counts, not only images, and the paper's global, item and visual biases are left out.
    A modality that an item lacks adds nothing to :math:`W F_i`; an item without any content has zeros in place of the
    projection.

    Args:
        data: the graph (see :func:`alignrec_geo.graph.to_hetero`).
        features: names of the item features to use; ``None`` takes all ``x_NAME``.
        config: settings; ``None`` takes the defaults.
        seed: seed of the initial parameters.

    Raises:
        InputError: there is no feature to use, or the graph lacks one.
    """

    config_class = VBPRConfig
    config: VBPRConfig
    content: Tensor
    present: Tensor | None

    def __init__(
        self,
        data: HeteroData,
        features: Sequence[str] | None = None,
        config: VBPRConfig | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(data, features, config)
        if not self.features:
            raise InputError("VBPR needs at least one feature matrix (got none); without content use 'bpr'")
        parts = modalities(data, self.features, self.config.feature_scaling)
        content = torch.cat([part.x.masked_fill(~part.present[:, None], 0.0) for part in parts], dim=1)  # F, [I, D]
        present = torch.stack([part.present for part in parts]).any(dim=0)
        self.register_buffer("content", content, persistent=False)
        self.register_buffer("present", None if bool(present.all()) else present, persistent=False)
        dim = self.config.dim
        self.user_embedding = nn.Parameter(torch.empty(self.n_users, 2 * dim))  # P
        self.item_embedding = nn.Parameter(torch.empty(self.n_items, dim))  # Q
        self.projection = linear(content.shape[1], dim)  # W, b
        self.reset_parameters(child_generator(seed, "init"))

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the parameters anew."""
        init_xavier(self.user_embedding, generator)
        init_xavier(self.item_embedding, generator)
        init_linear(self.projection, generator, weight="xavier_normal", bias="zeros")

    def encode(self) -> Embeddings:
        """Return a copy of the users ``P``, ``[U, 2 d]``, and the items ``v``, ``[I, 2 d]``."""
        projected = self._masked(self.projection(self.content), self.present)
        return Embeddings(self.user_embedding.clone(), torch.cat([self.item_embedding, projected], dim=1))

    def branches(self) -> Branches:
        """Users are identity; items have theirs in the first ``d`` columns and their content in the others."""
        users, items = self.encode()
        identity = items.clone()
        identity[:, self.config.dim :] = 0.0
        return Branches(Embeddings(users, identity), Embeddings(torch.zeros_like(users), items - identity))

    def user_paths(self, user: int) -> UserPaths:
        """No past item brings anything: a user's vector is learned by itself."""
        return UserPaths.of(OWN, self.user_embedding[user])

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms ``bpr`` and ``reg``."""
        user = gather_rows(self.user_embedding, batch.users)  # [B, 2 d]
        positive, negative = self._item_rows(torch.cat([batch.positives, batch.negatives])).chunk(2)
        return {
            "bpr": triplet_loss(user, positive, negative, batch.nominal_size).bpr,
            "reg": self.config.reg_weight * norm_penalty(user, positive, negative),
        }

    def _item_rows(self, items: Tensor) -> Tensor:
        """Rows of ``v``; the content of an item is projected once, however often the batch holds it."""
        found = distinct(items)
        projected = self.projection(self.content.index_select(0, found.ids))
        projected = self._masked(projected, None if self.present is None else self.present[found.ids])
        return torch.cat([gather_rows(self.item_embedding, items), found.spread(projected)], dim=1)

    @staticmethod
    def _masked(rows: Tensor, present: Tensor | None) -> Tensor:
        return rows if present is None else rows * present[:, None]
