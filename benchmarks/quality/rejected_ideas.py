"""Ideas that were tried on AlignRec+ and dropped, each a setting, so that `compare --vary` repeats what they cost.

    PYTHONPATH=benchmarks/quality alignrec-geo compare data/tiktok --models rejected_ideas.RejectedIdeas \\
        --vary uniformity_weight=0.1 --vary pruned=0.3 --features image,audio --seeds 3 --out runs/rejected

With the defaults it is ``alignrec-plus``. Not part of the package: these lost.
"""

import math
from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from alignrec_geo.embeddings import Embeddings
from alignrec_geo.graph.item_knn import item_knn
from alignrec_geo.graph.modalities import modalities
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.infonce import infonce
from alignrec_geo.kernels.spmm import mean_propagation, spmm
from alignrec_geo.kernels.triplet_loss import triplet_loss
from alignrec_geo.models.alignrec_plus import AlignRecPlus
from alignrec_geo.models.alignrec_plus_config import AlignRecPlusConfig
from alignrec_geo.models.alignrec_views import AlignRecViews
from alignrec_geo.models.base import Batch
from alignrec_geo.nn.batch_rows import BatchRows
from alignrec_geo.nn.init import init_xavier
from alignrec_geo.nn.loss_list import loss_terms
from alignrec_geo.nn.views import BatchViews, ContentViews, Rows

BUCKETS = 13
"""Powers of two of degrees that weights are learned for."""


class RejectedIdeasConfig(AlignRecPlusConfig):
    """Settings of AlignRec+, and one or two per idea."""

    contrast_weight: float = Field(default=0.0, ge=0.0)
    """Two noisy copies of ``contrast_on`` told apart, as in XSimGCL (https://doi.org/10.1109/TKDE.2023.3288135)."""
    contrast_on: Literal["identity", "fused"] = "identity"
    """Rows that are contrasted: ``identity`` against its first layer, or ``fused`` against itself."""
    contrast_noise: float = Field(default=0.1, ge=0.0)
    """Length of the noise, as a share of a row's."""
    uniformity_weight: float = Field(default=0.0, ge=0.0)
    """DirectAU's uniformity (https://doi.org/10.1145/3534678.3539253) on the batch's users and items."""
    item_bias: bool = False
    """A learned number per item in every score."""
    branches_apart: bool = False
    """Identity and content side by side, their scores added, in place of a sum of vectors."""
    degree_weights: bool = False
    """Learned weights of both branches by the degree of a node."""
    content_hops: int = Field(default=0, ge=0)
    """Content propagated over the user-item graph, so many steps, in place of one step to users."""
    direct: float = Field(default=0.0, ge=0.0)
    """A third branch: projected content vectors, of this scale."""
    own_table: bool = True
    """Whether the mean of layers holds layer 0, the table itself."""
    item_degree_exponent: float = Field(default=0.5, ge=0.0, le=1.0)
    """Exponent of an item's degree in R̂."""
    content_scale: float = Field(default=1.0, gt=0.0)
    """Factor of the content branch."""
    similar_identity: float = Field(default=0.0, ge=0.0)
    """Weight of S Q in items' identities."""
    content_mean: bool = False
    """Users' content is the mean over their items."""
    smoothing: float = Field(default=0.0, ge=0.0)
    """Weight of S h in items' vectors, when scores are made."""
    graph_per_modality: bool = False
    """S is the mean of one graph per feature matrix."""
    pruned: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of edges left out of every epoch, those of popular nodes first; scores are made with all."""
    initial_scale: float = Field(default=1.0, gt=0.0)
    """Factor of the tables at the start."""
    spectral_mix: float = Field(default=0.0, ge=0.0)
    """Share of the random start that is added to the spectral one."""


class RejectedIdeas(AlignRecPlus):
    """AlignRec+ with the ideas of :class:`RejectedIdeasConfig`: scores and losses, no explanations, no folding in."""

    config_class = RejectedIdeasConfig
    config: RejectedIdeasConfig

    def __init__(self, data: Any, features: Any = None, config: Any = None, seed: int = 0, **parts: Any) -> None:
        super().__init__(data, features, config, seed, **parts)
        chosen, (user, item) = self.config, self.pairs
        degrees = [torch.bincount(row, minlength=n) for row, n in ((user, self.n_users), (item, self.n_items))]
        self.buckets = [degree.add(1).log2().long().clamp(max=BUCKETS - 1) for degree in degrees]
        self.mix = nn.Parameter(torch.zeros(2, 2, BUCKETS)) if chosen.degree_weights else None
        self.bias = nn.Parameter(torch.zeros(self.n_items)) if chosen.item_bias else None
        if chosen.direct:
            self.direct = nn.Linear(self.content_width, chosen.dim, bias=False)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                nn.init.xavier_uniform_(self.direct.weight)
        if chosen.content_mean:
            shares = 1.0 / degrees[0].clamp(min=1)[user]
            self.item_to_user = CSR.from_coo(user, item, shares, (self.n_users, self.n_items))
        if chosen.item_degree_exponent != 0.5:
            self.user_item_graph = self._uneven(*(degree.clamp(min=1).double() for degree in degrees))
        if chosen.graph_per_modality:
            self.item_graph = self._graph_per_modality(data)
        self.train_graph = self.user_item_graph.map(torch.clone) if chosen.pruned else self.user_item_graph

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the parameters anew, and change the tables."""
        super().reset_parameters(generator)
        with torch.no_grad():
            for table in (self.user_embedding, self.item_embedding):
                if self.config.spectral_mix:
                    drawn = torch.empty_like(table)
                    init_xavier(drawn, generator)
                    table.add_(drawn, alpha=self.config.spectral_mix)
                table.mul_(self.config.initial_scale)

    def start_epoch(self, epoch: int, generator: torch.Generator) -> None:
        """Leave out some edges until the next epoch."""
        super().start_epoch(epoch, generator)
        if not self.config.pruned:
            return
        (source, target), weight = self.user_item_graph.edges()
        low, high = torch.minimum(source, target), torch.maximum(source, target)
        _, pair = torch.unique(low * (self.n_users + self.n_items) + high, return_inverse=True)
        count = int(pair.max()) + 1
        chance = torch.zeros(count, device=weight.device).index_copy_(0, pair, weight)
        keys = -torch.rand(count, generator=generator).to(weight).clamp(min=1e-12).log() / chance
        kept = torch.zeros_like(chance)
        kept[keys.topk(count - int(count * self.config.pruned), largest=False).indices] = 1.0
        kept = kept[pair]
        degree = torch.zeros(self.n_users + self.n_items, device=weight.device).index_add_(0, target, kept).clamp(min=1)
        self.train_graph.matrix.values().copy_(kept / (degree[source] * degree[target]).sqrt())

    def views(self) -> AlignRecViews:
        """Return both branches of all nodes."""
        chosen = self.config
        users, items = self._propagated().split([self.n_users, self.n_items])
        if chosen.similar_identity:
            items = items + chosen.similar_identity * spmm(self.item_graph, self.item_embedding)
        if self.user_graph is not None:
            users = users + self._from_similar(users)
        content = self._content_views() if self.features else (None, None)
        return AlignRecViews(torch.cat([users, items]), *content)

    def branches(self) -> None:
        """Not offered."""

    def folding(self) -> None:
        """Not offered: users are not folded in."""

    def _propagated(self) -> Tensor:
        """The mean of all layers, or of all but the table."""
        graph = self.train_graph if self.training else self.user_item_graph
        rows = torch.cat([self.user_embedding, self.item_embedding])
        if self.config.own_table:
            return mean_propagation(graph, rows, self.config.layers)
        first = spmm(graph, rows)
        return mean_propagation(graph, first, self.config.layers - 1)

    def _content_views(self) -> tuple[Tensor, Tensor]:
        users, items = super()._content_views()
        if self.config.content_hops:
            nodes = torch.cat([torch.zeros_like(users), items])
            hops = self.config.content_hops
            users, items = (mean_propagation(self.user_item_graph, nodes, hops) * (hops + 1)).split(
                [self.n_users, self.n_items]
            )
        return users * self.config.content_scale, items * self.config.content_scale

    def _joined(self, identity: Tensor, content: Tensor | None, kind: int, nodes: Tensor | None = None) -> Tensor:
        """Identity and content of users (0) or items (1), of all or of ``nodes``."""
        if content is None:
            return identity
        if self.config.branches_apart:
            return torch.cat([identity, content], dim=1)
        if self.mix is not None:
            bucket = self.buckets[kind].to(identity.device)
            shares = 1.0 + self.mix[kind][:, bucket if nodes is None else bucket[nodes]]
            return shares[0][:, None] * identity + shares[1][:, None] * content
        return self.fusion(identity, content)  # type: ignore[no-any-return]

    def _further(self, users: Tensor, items: Tensor, of_users: Tensor, of_items: Tensor) -> tuple[Tensor, Tensor]:
        """With the columns of the third branch and of the bias; the last two name all rows, or those of a batch."""
        if self.config.direct:
            rows = self.direct(self.content) * (0.1 * self.config.direct)
            users = torch.cat([users, spmm(self.item_to_user, rows)[of_users]], dim=1)
            items = torch.cat([items, rows[of_items]], dim=1)
        if self.bias is not None:
            users = torch.cat([users, torch.ones_like(users[:, :1])], dim=1)
            items = torch.cat([items, self.bias[of_items][:, None]], dim=1)
        return users, items

    def _fused(self, views: AlignRecViews) -> Embeddings:
        identity, content_users, content_items = views
        users = self._joined(identity[: self.n_users], content_users, 0)
        items = self._joined(identity[self.n_users :], content_items, 1)
        if self.config.smoothing:
            items = items + self.config.smoothing * spmm(self.item_graph, items)
        of_users, of_items = (torch.arange(len(rows), device=rows.device) for rows in (users, items))
        return Embeddings(*self._further(users, items, of_users, of_items))

    def _terms(self, batch: Batch, rows: BatchRows, views: AlignRecViews) -> dict[str, Tensor]:
        identity = Rows(*views.identity[rows.nodes].chunk(3))
        fused, content = identity, None
        if views.content_users is not None and views.content_items is not None:
            sides = Rows(views.content_users[batch.users], *views.content_items[rows.items].chunk(2))
            nodes = (batch.users, batch.positives, batch.negatives)
            fused = Rows(
                *(
                    self._joined(c, m, kind, node)
                    for c, m, kind, node in zip(identity, sides, (0, 1, 1), nodes, strict=True)
                )
            )
            content = ContentViews(sides, rows.users, rows.positives, self._anchor_rows)
        users, positives = self._further(fused.user, fused.positive, batch.users, batch.positives)
        _, negatives = self._further(fused.user, fused.negative, batch.users, batch.negatives)
        pair = triplet_loss(users, positives, negatives, batch.nominal_size)
        if self.config.direct or self.bias is not None:
            pair = pair._replace(uia=triplet_loss(*fused, batch.nominal_size).uia)
        terms = loss_terms(self.losses, BatchViews(identity, fused, pair, content), batch)
        return {**terms, **self._further_terms(fused, views, batch)}

    def _further_terms(self, fused: Rows, views: AlignRecViews, batch: Batch) -> dict[str, Tensor]:
        chosen, terms = self.config, {}
        ids = (batch.users, batch.positives)
        if chosen.contrast_weight and chosen.contrast_on == "identity":
            graph, table = self.train_graph, torch.cat([self.user_embedding, self.item_embedding])
            first = self._noisy(spmm(graph, table))
            nodes = (batch.users, batch.positives + self.n_users)
            pairs = [(self._noisy(views.identity[node]), first[node]) for node in nodes]
            terms["contrast"] = self._told_apart(pairs, ids)
        elif chosen.contrast_weight:
            pairs = [(self._noisy(rows), self._noisy(rows)) for rows in (fused.user, fused.positive)]
            terms["contrast"] = self._told_apart(pairs, ids)
        if chosen.uniformity_weight:
            each = [uniformity(rows, own) for rows, own in zip((fused.user, fused.positive), ids, strict=True)]
            terms["uniformity"] = chosen.uniformity_weight * (each[0] + each[1]) / 2
        return terms

    def _told_apart(self, pairs: list[tuple[Tensor, Tensor]], ids: tuple[Tensor, Tensor]) -> Tensor:
        losses = [infonce(one, other, 0.2, ids=own) for (one, other), own in zip(pairs, ids, strict=True)]
        return self.config.contrast_weight * (losses[0] + losses[1])

    def _noisy(self, rows: Tensor) -> Tensor:
        noise = F.normalize(torch.rand_like(rows), dim=1) * rows.detach().sign()
        length: Tensor = rows.detach().norm(dim=1, keepdim=True)
        return rows + self.config.contrast_noise * length * noise

    def _uneven(self, of_users: Tensor, of_items: Tensor) -> CSR:
        user, item = self.pairs
        n, power = self.n_users + self.n_items, self.config.item_degree_exponent
        ends = torch.cat([user, item + self.n_users]), torch.cat([item + self.n_users, user])
        to_users = of_users[user] ** -0.5 * of_items[item] ** -power
        to_items = of_users[user] ** -0.5 * of_items[item] ** (power - 1)
        return CSR.from_coo(*ends, torch.cat([to_users, to_items]).float(), (n, n))

    def _graph_per_modality(self, data: Any) -> CSR:
        parts = modalities(data, self.features)
        graphs = [item_knn(part.x, part.present, self.config.k) for part in parts]
        edges, weights = torch.cat([edge for edge, _ in graphs], dim=1), torch.cat([w for _, w in graphs]) / len(parts)
        return CSR.from_edge_index(edges, weights, (self.n_items, self.n_items))


def uniformity(rows: Tensor, ids: Tensor) -> Tensor:
    """``log mean exp(-2 |x - y|²)`` over pairs of different rows on the unit sphere."""
    rows = F.normalize(rows, dim=1)
    apart = ids[:, None] != ids[None]
    return ((4 * (rows @ rows.T - 1)).exp() * apart).sum().div(apart.sum().clamp(min=1)).clamp(min=math.exp(-8)).log()
