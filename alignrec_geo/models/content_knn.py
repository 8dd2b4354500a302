"""Content-kNN: the items nearest to a user's own in content, with nothing trained."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.graph.modalities import Scaling, modalities
from alignrec_geo.graph.profiles import content_profiles, unit_content
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.models.base import Batch, ModelConfig
from alignrec_geo.models.contributions import CONTENT, Branches, UserPaths
from alignrec_geo.models.graph_model import GraphRecommender
from alignrec_geo.nn.paths import row_of
from alignrec_geo.serving.folding import Folding


class ContentKNNConfig(ModelConfig):
    """Settings of :class:`ContentKNN`."""

    search_space: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "centre": (True, False),
        "feature_scaling": ("auto", "row", "none"),
    }

    centre: bool = True
    """Subtract the mean vector of every feature matrix first: raw vectors share a direction that hides differences."""
    feature_scaling: Scaling = "auto"
    """``row``: unit rows per feature matrix; ``none``: as loaded; ``auto``: ``row`` if there are several."""


class ContentKNN(GraphRecommender):
    r"""Score items by the cosine of their content to a user's profile, the zero-shot test of a feature matrix.

    With the content vectors :math:`x_i` (the feature matrices side by side, each centred) and the user's training
    items :math:`\mathcal N(u)`:

    .. math::
        p_u = \frac{1}{|\mathcal N(u)|} \sum_{i \in \mathcal N(u)} \frac{x_i}{\|x_i\|}, \qquad
        \text{score}(u, j) = \cos(p_u, x_j)

    A modality that an item lacks is zero in :math:`x_i` and is not part of the mean that is subtracted. An item without
    any content is left out of the profiles and scores 0 for everybody, as every item does for a user without a
    profile. Nothing is trained.

    Args:
        data: the graph (see :func:`alignrec_geo.graph.to_hetero`).
        features: names of the item features to use; ``None`` takes all ``x_NAME``.
        config: settings; ``None`` takes the defaults.
        seed: not used; the model draws nothing.

    Raises:
        InputError: there is no feature to use, or the graph lacks one.
    """

    config_class = ContentKNNConfig
    places_cold_items = True
    config: ContentKNNConfig
    content: Tensor

    def __init__(
        self,
        data: HeteroData,
        features: Sequence[str] | None = None,
        config: ContentKNNConfig | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(data, features, config)
        if not self.features:
            raise InputError("ContentKNN needs at least one feature matrix (got none)")
        scaling = self.config.feature_scaling
        if scaling == "auto":
            scaling = "row" if len(self.features) > 1 else "none"
        content = unit_content(modalities(data, self.features, scaling), self.config.centre)
        self.register_buffer("content", content, persistent=False)  # [I, D]
        self.history: CSR = CSR.pattern(self.pairs[0], self.pairs[1], (self.n_users, self.n_items))

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw nothing: there are no parameters."""

    def encode(self) -> Embeddings:
        """Return unit profiles ``[U, D]`` and unit content vectors ``[I, D]``."""
        return content_profiles(self.history, self.content)

    def branches(self) -> Branches:
        """All is content."""
        tables = self.encode()
        return Branches(Embeddings(*map(torch.zeros_like, tables)), tables)

    def user_paths(self, user: int) -> UserPaths:
        """By past items: each counts with its own vector, over the length of their sum."""
        items, _ = row_of(self.history, user)
        rows = self.content[items]
        return UserPaths.over_items(CONTENT, items, rows / rows.sum(dim=0).norm().clamp(min=1e-12))

    def folding(self) -> Folding:
        """The unit profile of a history: what a trained user has."""
        return Folding(self.content, "unit")

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """No terms: there is nothing to train."""
        return {}
