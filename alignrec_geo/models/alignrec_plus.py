"""AlignRec+: AlignRec with five additions, each with a switch."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import HeteroData

from alignrec_geo.embeddings import Embeddings
from alignrec_geo.graph.halves import user_item_block
from alignrec_geo.graph.modalities import modalities, side_by_side
from alignrec_geo.graph.neighbours import blended, cosine_neighbours, row_shares, symmetric_shares
from alignrec_geo.graph.spectral import spectral_tables
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.spmm import mean_propagation, spmm
from alignrec_geo.models.alignrec import AlignRec
from alignrec_geo.models.alignrec_plus_config import AlignRecPlusConfig
from alignrec_geo.models.alignrec_views import AlignRecViews
from alignrec_geo.models.base import Batch
from alignrec_geo.models.contributions import ITEMS, UserPaths, node_sources
from alignrec_geo.models.hard_negatives import HardNegatives
from alignrec_geo.nn.paths import row_of
from alignrec_geo.nn.whitening import Whitening, all_alike
from alignrec_geo.serving.folding import Folding, fitted_folding


class AlignRecPlus(AlignRec):
    r"""AlignRec with five additions, each of which has a switch.

    The formulas are those of :class:`~alignrec_geo.models.AlignRec`, with these changes:

    1. **Spectral start.** :math:`P, Q` begin as the leading singular vectors of :math:`\hat R`
       (:func:`~alignrec_geo.graph.spectral.spectral_tables`), scaled to the length of what would be drawn.
    2. **Centred content.** From every feature matrix the mean of all items is taken off, or it is whitened
       (:class:`~alignrec_geo.nn.whitening.Whitening`); its rows then have unit length, and neighbours are told apart by
       more than what all items have in common.
    3. **Similar users.** With :math:`W` the cosines of the ``user_neighbours`` most similar histories, each row summing
       to 1, and :math:`c_U` the users' mean propagation, users have :math:`c_U + \omega W c_U`, as user-user graphs in
       `"DA-MRS" <https://doi.org/10.1145/3637528.3671703>`_.
    4. **Co-occurrence in the item graph.** :math:`S_i = (1 - \beta_i) S_i^{content} + \beta_i S_i^{users}`, the latter
       made of the ``k`` items whose users are most alike; :math:`\beta_i = \beta d_i / (d_i + \bar d)`, so that content
       prevails where an item has few pairs.
    5. **Hard negatives.** The negative is the best ranked of several
       (:class:`~alignrec_geo.models.hard_negatives.HardNegatives`).

    With all five switched off it is AlignRec, bit for bit. Graphs that are given, as ``("item", "similar", "item")``
    edges, stand for :math:`S^{content}`.

    Args:
        data: see :class:`~alignrec_geo.models.AlignRec`, also for what follows.
        features: names of the item features to use; ``None`` takes all.
        config: settings; ``None`` takes the defaults.
        seed: seed of the initial parameters.
        parts: layers, fusion and losses in place of the configured ones.

    Raises:
        InputError: the graph lacks a feature or an edge type, or a part does not fit.

    Example:
        >>> from alignrec_geo.dataset import make_catalogue
        >>> data = make_catalogue(n_users=60, n_items=40, image_size=16)
        >>> AlignRecPlus.from_dataset(data, config={"hard_negatives": 2}).embeddings().users.shape
        torch.Size([60, 64])
    """

    config_class = AlignRecPlusConfig
    config: AlignRecPlusConfig
    columns_apart = False
    why_undivided = "starts with singular vectors and chooses hard negatives by whole rows"

    def __init__(
        self,
        data: HeteroData,
        features: Sequence[str] | None = None,
        config: AlignRecPlusConfig | None = None,
        seed: int = 0,
        **parts: Any,
    ) -> None:
        super().__init__(data, features, config, seed, **parts)
        histories = self.histories()
        self.user_graph: CSR | None = None  # W
        if self.config.user_weight > 0.0:
            self.user_graph = row_shares(cosine_neighbours(histories, k=self.config.user_neighbours))
        count = self.config.hard_negatives
        self.hard_negatives = HardNegatives(histories, count) if count > 1 else None

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the parameters anew; the identities, by default, begin with the graph's singular vectors."""
        super().reset_parameters(generator)
        if self.config.spectral_start:
            self._start_spectrally(generator)

    def views(self) -> AlignRecViews:
        """Return both branches of all nodes; users' identities with those of similar users."""
        views = super().views()
        if self.user_graph is None:
            return views
        users, items = views.identity.split([self.n_users, self.n_items])
        return views._replace(identity=torch.cat([users + self._from_similar(users), items]))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the weighted terms, as :class:`~alignrec_geo.models.AlignRec`, of the batch with hard negatives."""
        if self.hard_negatives is None:
            return super().loss(batch)
        views = self.views()
        with torch.no_grad():
            tables = self._fused(views)
        batch = self.hard_negatives(batch, tables)
        return self._terms(batch, self._batch_rows(batch), views)

    @torch.no_grad()
    def fold_in(self, histories: CSR) -> Tensor:
        """Return vectors of users whom the model was not trained on, with the trained users that are most like them.

        :meth:`folding`, which must do without the trained users' histories, regresses what comes from those.
        """
        branches = super()._folded_branches()
        if branches is None or self.user_graph is None:
            return super().fold_in(histories)
        users = super().views().identity[: self.n_users]
        graph = row_shares(cosine_neighbours(histories, self.histories(), self.config.user_neighbours))
        similar = spmm(graph.map(lambda part: part.to(users)), users)
        identity = branches[0](histories) + self.config.user_weight * similar
        return self.fusion(identity, branches[1](histories)) if self.features else identity

    @torch.no_grad()
    def _start_spectrally(self, generator: torch.Generator) -> None:
        """Put the singular vectors in place of what was drawn, as long as it in all; more columns stay as drawn."""
        block = self.item_to_user if self.features else user_item_block(self.symmetric_graph(), self.n_users)
        start = spectral_tables(block, self.config.dim, generator)
        drawn = [table[:, : start.users.shape[1]] for table in (self.user_embedding, self.item_embedding)]
        scale = torch.cat(drawn).norm() / torch.cat(list(start)).norm().clamp(min=1e-12)
        for table, rows in zip(drawn, start, strict=True):
            table.copy_(rows * scale)

    def _from_similar(self, users: Tensor) -> Tensor:
        r""":math:`\omega W c_U`, ``[U, d]``."""
        assert self.user_graph is not None
        return self.config.user_weight * spmm(self.user_graph, users)

    def _item_content(self, data: HeteroData) -> tuple[Tensor, Tensor]:
        if self.config.centring == "none":
            return super()._item_content(data)
        whiten = self.config.centring == "whiten"
        parts = modalities(data, self.features)
        return side_by_side([part._replace(x=centred_rows(part.x, part.present, whiten)) for part in parts])

    def _similar(self, data: HeteroData, x: Tensor, present: Tensor) -> CSR:
        content = super()._similar(data, x, present)
        share = self.config.co_occurrence
        if share == 0.0:
            return content
        histories = self.histories()
        degree = histories.transposed.crow_indices().diff().float()
        used = symmetric_shares(cosine_neighbours(histories.T, k=self.config.k))
        return blended(content, used, share * degree / (degree + degree.mean().clamp(min=1e-12)))

    def _folded_branches(self) -> list[Folding] | None:
        """As AlignRec's; what comes from similar users, who depend on a history in no linear way, is regressed."""
        branches = super()._folded_branches()
        if branches is None or self.user_graph is None:
            return branches
        users, items = super().views().identity.split([self.n_users, self.n_items])
        similar = fitted_folding(Embeddings(self._from_similar(users), items), self.histories())
        return [branches[0] + similar, *branches[1:]]

    def _identity_paths(self, user: int) -> UserPaths:
        paths = super()._identity_paths(user)
        if self.user_graph is None:
            return paths
        neighbours, share = row_of(self.user_graph, user)
        sources = node_sources(self.user_embedding, self.item_embedding, user, ITEMS)
        received = mean_propagation(self.user_item_graph, sources.flatten(1), self.config.layers)[neighbours]
        similar = self.config.user_weight * (share @ received)
        return replace(paths, similar_users=similar.view(sources.shape[1:]))


def centred_rows(x: Tensor, present: Tensor, whiten: bool) -> Tensor:
    """Return the present rows centred, or whitened, and of unit length, the others zero, ``[I, D]``; vectors that are
    all the same stay as they are, but for their length."""
    rows = x[present]
    if not all_alike(rows):
        rows = Whitening.fit(rows)(rows) if whiten else (rows.double() - rows.double().mean(dim=0)).to(rows.dtype)
    made = torch.zeros_like(x)
    made[present] = F.normalize(rows, dim=1)
    return made
