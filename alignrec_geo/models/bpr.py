"""Matrix factorisation trained with BPR: the plainest model that learns."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch_geometric.data import HeteroData

from alignrec_geo.distributed import column_table
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.kernels.triplet_loss import triplet_loss
from alignrec_geo.models.base import Batch, ModelConfig
from alignrec_geo.models.contributions import OWN, Branches, UserPaths
from alignrec_geo.models.graph_model import GraphRecommender
from alignrec_geo.nn.init import init_xavier
from alignrec_geo.nn.penalties import norm_penalty
from alignrec_geo.nn.whole_rows import Wanted, whole_rows
from alignrec_geo.randomness import child_generator


class BPRMFConfig(ModelConfig):
    """Settings of :class:`BPRMF`."""

    training_defaults: ClassVar[Mapping[str, Any]] = {"lr_decay": 1.0}
    search_space: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "reg_weight": (1e-4, 1e-3, 0.01, 0.1, 1.0, 2.0),
        "training.lr": (5e-4, 1e-3, 3e-3),
    }

    dim: int = Field(default=64, ge=1)
    """Width d of the embeddings."""
    reg_weight: float = Field(default=1e-4, ge=0.0)
    """Weight of the norms of a batch's rows."""


class BPRMF(GraphRecommender):
    r"""`"BPR: Bayesian Personalized Ranking from Implicit Feedback" <https://arxiv.org/abs/1205.2618>`_.

    One row per user and per item, no biases; the content is not looked at:

    .. math::
        \text{score}(u, i) &= P_u^\top Q_i \\
        \mathcal L &= -\tfrac1B \sum \log \sigma(P_u^\top Q_{i^+} - P_u^\top Q_{i^-})
            + \tfrac{\lambda}{B} (\|P_u\|_F + \|Q_{i^+}\|_F + \|Q_{i^-}\|_F)

    with the norms over all rows of the batch. As in the field's toolbox these norms are not squared, and Adam goes
    through every pair once an epoch; the paper squares them and draws triplets with replacement for SGD.

    Args:
        data: the graph (see :func:`alignrec_geo.graph.to_hetero`).
        features: not used; the model has IDs only.
        config: settings; ``None`` takes the defaults.
        seed: seed of the initial parameters.
    """

    config_class = BPRMFConfig
    columns_apart = True
    uses_features = False
    config: BPRMFConfig

    def __init__(
        self,
        data: HeteroData,
        features: Sequence[str] | None = None,
        config: BPRMFConfig | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(data, features, config)
        self.user_embedding = column_table(self.n_users, self.config.dim)  # P
        self.item_embedding = column_table(self.n_items, self.config.dim)  # Q
        self.reset_parameters(child_generator(seed, "init"))

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the parameters anew."""
        init_xavier(self.user_embedding, generator, "xavier_normal")
        init_xavier(self.item_embedding, generator, "xavier_normal")

    def encode(self) -> Embeddings:
        """Return copies of the two tables, ``[U, d]`` and ``[I, d]``; further training leaves them as they are."""
        return Embeddings(self.user_embedding.clone(), self.item_embedding.clone())

    def branches(self) -> Branches:
        """All is identity."""
        return Branches(self.encode())

    def user_paths(self, user: int) -> UserPaths:
        """No past item brings anything: a user's vector is learned by itself."""
        return UserPaths.of(OWN, self.user_embedding[user])

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms ``bpr`` and ``reg``."""
        chosen = torch.cat([batch.positives, batch.negatives])
        user, items = whole_rows(Wanted(self.user_embedding, batch.users), Wanted(self.item_embedding, chosen))
        positive, negative = items.chunk(2)  # [B, d] each
        return {
            "bpr": triplet_loss(user, positive, negative, batch.nominal_size).bpr,
            "reg": self.config.reg_weight * norm_penalty(user, positive, negative),
        }
