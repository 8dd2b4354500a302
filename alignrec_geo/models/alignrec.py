"""AlignRec, stage 2: content-ID and user-item alignment trained together."""

from collections.abc import Mapping, Sequence
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.data import HeteroData
from torch_geometric.typing import EdgeType

from alignrec_geo.distributed import all_columns, column_parameter, column_table, own_part
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.graph.checks import node_count
from alignrec_geo.graph.halves import user_item_block
from alignrec_geo.graph.hetero import SIMILAR, find_edge_type, relation_graph
from alignrec_geo.graph.item_knn import item_knn
from alignrec_geo.graph.modalities import item_content
from alignrec_geo.kernels.branch import Branch
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.gate import gated_rows
from alignrec_geo.models.alignrec_config import AlignRecConfig, chosen_losses
from alignrec_geo.models.alignrec_folding import folded_branches
from alignrec_geo.models.alignrec_terms import batch_terms
from alignrec_geo.models.alignrec_views import AlignRecViews
from alignrec_geo.models.base import Batch
from alignrec_geo.models.contributions import CONTENT, Branches, UserPaths, fused_paths
from alignrec_geo.models.graph_model import GraphRecommender
from alignrec_geo.nn.batch_rows import BatchRows
from alignrec_geo.nn.bipartite import BipartitePropagation
from alignrec_geo.nn.column_linear import column_linear, one_map
from alignrec_geo.nn.conv import Conv
from alignrec_geo.nn.fusion import Fuser, Fusion, SumFusion
from alignrec_geo.nn.hetero_encoder import HeteroEncoder
from alignrec_geo.nn.init import init_linear, init_xavier, linear
from alignrec_geo.nn.loss_list import describe_losses, loss_list
from alignrec_geo.nn.losses import LossFn
from alignrec_geo.nn.overrides import apply_overrides
from alignrec_geo.nn.paths import row_of
from alignrec_geo.nn.propagation import Propagation
from alignrec_geo.nn.whole_rows import Wanted, whole_rows
from alignrec_geo.randomness import child_generator
from alignrec_geo.serving.folding import Folding, fitted_folding


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

    Every part can be another: where :math:`\hat A`, :math:`S` or :math:`\hat R` stand, a message-passing layer runs on
    that graph, and the sum :math:`c + m` is a fusion. A part is named in ``config``, or given here as an object, which
    a run's settings cannot name again.

    Args:
        data: the graph (see :func:`alignrec_geo.graph.to_hetero`); its ``("item", "similar", "item")`` edges are
            :math:`S`. Where it has none they are made from the content, as there.
        features: names of the item features to use; ``None`` takes all ``x_NAME``.
        config: settings; ``None`` takes the defaults.
        seed: seed of the initial parameters.
        user_item_conv: layer of the user-item graph, see :data:`~alignrec_geo.nn.conv.Conv`; or one per edge type of
            ``data``, see :class:`~alignrec_geo.nn.hetero_encoder.HeteroEncoder`.
        item_item_conv: layer of the item-item graph.
        user_conv: layer that carries content from items to users. It runs on both together, users' rows being zero.
        layers: propagation layers on the user-item graph; as many as ``user_item_conv`` lists, if it is a list.
        fusion: see :data:`~alignrec_geo.nn.fusion.Fusion`.
        losses: terms of the loss in place of the configured ones, as a text (``bpr + uia(0.1)``) or as objects, see
            :mod:`alignrec_geo.nn.losses`.

    Raises:
        InputError: the graph lacks a feature or an edge type, or a part does not fit.

    Example:
        >>> from alignrec_geo.dataset import make_catalogue
        >>> from alignrec_geo.graph.hetero import to_hetero
        >>> from torch_geometric.nn import SAGEConv
        >>> graph = to_hetero(make_catalogue(n_users=60, n_items=40, image_size=16), cache=False)
        >>> AlignRec(graph, user_item_conv=SAGEConv).user_item.layers[0].conv
        SAGEConv(64, 64, aggr=mean)
    """

    config_class = AlignRecConfig
    columns_apart = True
    dense_maps = 1
    config: AlignRecConfig
    user_item: Propagation | HeteroEncoder
    present: Tensor | None
    anchor: Tensor | None
    anchor_scale: Tensor

    def __init__(
        self,
        data: HeteroData,
        features: Sequence[str] | None = None,
        config: AlignRecConfig | None = None,
        seed: int = 0,
        *,
        user_item_conv: Conv | Mapping[EdgeType | str, Conv] | None = None,
        item_item_conv: Conv | None = None,
        user_conv: Conv | None = None,
        layers: int | None = None,
        fusion: Fusion | None = None,
        losses: str | LossFn | Sequence[str | LossFn] | None = None,
    ) -> None:
        own_losses = None if losses is None else loss_list(losses)
        chosen, part = apply_overrides(
            self.settings(config),
            layers,
            user_item_conv=user_item_conv,
            item_item_conv=item_item_conv,
            user_conv=user_conv,
            fusion=fusion,
            losses=None if own_losses is None else describe_losses(own_losses),
        )
        super().__init__(data, features, chosen)
        dim, options = self.config.dim, (self.config.conv_residual, self.config.conv_norm)
        self.user_embedding = column_table(self.n_users, dim)  # P
        self.item_embedding = column_table(self.n_items, dim)  # Q
        if isinstance(part["user_item_conv"], Mapping):
            convs = {find_edge_type(data, name): conv for name, conv in part["user_item_conv"].items()}
            self.relations = {edge_type: relation_graph(data, edge_type) for edge_type in convs}
            others = {end for edge_type in convs for end in (edge_type[0], edge_type[2])} - {"user", "item"}
            sizes = {kind: node_count(data, kind) for kind in sorted(others)}
            self.tables = nn.ParameterDict({kind: torch.empty(count, dim) for kind, count in sizes.items()})
            self.user_item = HeteroEncoder(convs, dim, self.config.layers, *options, outputs=("user", "item"))
        else:
            self.user_item_graph: CSR = self.symmetric_graph()
            self.user_item = Propagation(part["user_item_conv"], dim, self.config.layers, "user_item_conv", *options)
        if self.features:
            x, present = self._item_content(data)
            self.content = column_parameter(x.clone(), self.config.train_features)  # x
            self.content_width = x.shape[1]  # D
            self.projection = column_linear(x.shape[1], dim)  # W, b
            self.gate = linear(dim, dim)  # G
            anchor = own_part(x) if self.config.anchor == "initial" and self.config.train_features else None
            buffers = {
                "anchor_scale": 1.0 / x.norm(dim=1, keepdim=True).clamp(min=1e-12),
                "present": None if bool(present.all()) else present,
                "anchor": anchor,  # x as loaded, where x trains
            }
            for name, buffer in sorted(buffers.items(), key=lambda pair: pair[1] is None):
                self.register_buffer(name, buffer, persistent=False)  # torch.export wants those that are None last
            whole = self.symmetric_graph() if isinstance(self.user_item, HeteroEncoder) else self.user_item_graph
            self.item_to_user: CSR = user_item_block(whole, self.n_users)  # R̂
            self.item_graph: CSR = self._similar(data, x, present)  # S
            item_layers = self.config.item_layers
            self.item_item = Propagation(part["item_item_conv"], dim, item_layers, "item_item_conv", *options)
            self.to_users = BipartitePropagation(part["user_conv"], dim, "user_conv", *options)
            self.fusion = Fuser(part["fusion"], dim)
        self.losses = chosen_losses(self.config, bool(self.features), own_losses)
        self.loss_modules = nn.ModuleList(loss for loss in self.losses if isinstance(loss, nn.Module))
        self.reset_parameters(child_generator(seed, "init"))

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the parameters anew; content vectors, and layers given as objects, stay as they are."""
        init_xavier(self.user_embedding, generator)
        init_xavier(self.item_embedding, generator)
        for layer in (self.projection, self.gate) if self.features else ():
            init_linear(layer, generator)
        if isinstance(self.user_item, HeteroEncoder):
            for table in self.tables.values():
                init_xavier(table, generator)
        self.user_item.reset_parameters(generator)
        for part in (self.item_item, self.to_users, self.fusion) if self.features else ():
            part.reset_parameters(generator)

    def views(self) -> AlignRecViews:
        """Return both branches of all nodes from one propagation."""
        if isinstance(self.user_item, HeteroEncoder):
            tables = {"user": self.user_embedding, "item": self.item_embedding, **self.tables}
            rows = self.user_item(tables, self.relations)
            identity, branch = torch.cat([rows["user"], rows["item"]]), Branch()
        else:
            table = torch.cat([self.user_embedding, self.item_embedding])
            branch = Branch(table)
            with branch:
                identity = self.user_item.mean(self.user_item_graph, table)
        content = self._content_views() if self.features else (None, None)
        branch.join(identity)
        return AlignRecViews(identity, *content)

    def encode(self) -> Embeddings:
        """Return the fused tables ``h``, ``[U, d]`` and ``[I, d]``."""
        return self._fused(self.views())

    def branches(self) -> Branches | None:
        """``c`` and ``m``, each as the fusion takes it; exact for every fusion of this package."""
        return self.views().branches(self.n_users, self.fusion if self.features else None)

    def user_paths(self, user: int) -> UserPaths | None:
        """By past items; exact where the layers that lead to users are the default and the fusion is linear."""
        if isinstance(self.user_item, HeteroEncoder) or not self.user_item.plain:
            return None
        paths = self._identity_paths(user)
        if not self.features:
            return paths
        linear = self.to_users.plain and self.fusion.linear
        return fused_paths(self.fusion, paths, self._content_paths(user)) if linear else None

    @torch.no_grad()
    def folding(self) -> Folding | None:
        r"""Propagation to a new user in both branches (:mod:`~alignrec_geo.models.fold_in`), exact but for the row in
        :math:`P`, which is estimated. With layers or edge weights of one's own all is regressed."""
        branches = self._folded_branches()
        if branches is None:
            return fitted_folding(self.embeddings(), self.histories())
        linear = len(branches) == 1 or isinstance(self.fusion.fusion, SumFusion)
        return reduce(Folding.__add__, branches) if linear else None

    @torch.no_grad()
    def fold_in(self, histories: CSR) -> Tensor:
        """Return vectors of users whom the model was not trained on: :meth:`folding`, or each branch and the fusion."""
        if (folding := self.folding()) is not None:
            return folding(histories)
        return self.fusion(*(branch(histories) for branch in self._folded_branches() or ()))  # type: ignore[no-any-return]

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the weighted terms by name: ``bpr``, ``l2``, ``uia`` and, with features, ``cca`` and ``reg``."""
        beside = Branch(batch.users, batch.positives, batch.negatives)
        with beside:
            rows = self._batch_rows(batch)
        views = self.views()
        rows.join(beside)
        return self._terms(batch, rows, views)

    @property
    def batch_layout(self) -> tuple[int, ...]:
        """Rows per triplet of each of the :meth:`wanted` tables."""
        return (3, 1, 2) if self.features else (3,)

    def wanted(self, batch: Batch) -> list[Wanted]:
        """The rows of a batch that its loss looks at: identity and, with features, content of users and of items."""
        return self.views().wanted(batch, self._batch_rows(batch))

    def terms(self, batch: Batch, rows: Sequence[Tensor]) -> dict[str, Tensor]:
        """The weighted terms of a batch from the rows that are :meth:`wanted`."""
        return batch_terms(self, batch, self._batch_rows(batch), rows)

    def _fused(self, views: AlignRecViews) -> Embeddings:
        """``h`` of all nodes."""
        return views.fused(self.n_users, self.fusion if self.features else None)

    def _batch_rows(self, batch: Batch) -> BatchRows:
        return BatchRows.of(batch, self.n_users, self.n_items, self.present if self.features else None)

    def _terms(self, batch: Batch, rows: BatchRows, views: AlignRecViews) -> dict[str, Tensor]:
        """The weighted terms of a batch whose rows are known."""
        return batch_terms(self, batch, rows, whole_rows(*views.wanted(batch, rows)))

    def _folded_branches(self) -> list[Folding] | None:
        """A new user in each branch, identity first; ``None`` where it is not a plain propagation."""
        return folded_branches(self)

    def _item_content(self, data: HeteroData) -> tuple[Tensor, Tensor]:
        """The content vectors and which items have any, ``[I, D]`` and ``[I]``."""
        return item_content(data, self.features, self.config.feature_scaling)

    def _similar(self, data: HeteroData, x: Tensor, present: Tensor) -> CSR:
        """The item graph that ``data`` has, or the one :func:`~alignrec_geo.graph.to_hetero` would make."""
        if SIMILAR in data.edge_types:
            return relation_graph(data, SIMILAR)
        return CSR.from_edge_index(*item_knn(x, present, self.config.k), (self.n_items, self.n_items))

    def _content_views(self) -> tuple[Tensor, Tensor]:
        items = gated_rows(self.item_embedding, self.content, *one_map(self.gate, self.projection))  # [I, d]
        if self.present is not None:
            items = items * self.present[:, None]
        items = self.item_item(self.item_graph, items)
        if self.present is not None and not self.item_item.plain:
            items = items * self.present[:, None]  # a layer with a bias would give them content
        return self.to_users(self.item_to_user, items), items

    def _identity_paths(self, user: int) -> UserPaths:
        users, items, layers = self.user_embedding, self.item_embedding, self.config.layers
        return UserPaths.propagated(self.user_item_graph, users, items, user, layers)

    def _content_paths(self, user: int) -> UserPaths:
        items, weight = row_of(self.item_to_user, user)
        return UserPaths.over_items(CONTENT, items, weight[:, None] * self._content_views()[1][items])

    def _anchor_rows(self, items: Tensor) -> Tensor:
        """Unit content vectors of a batch, ``[B, D]``."""
        source = self.content.detach() if self.anchor is None else self.anchor
        rows = all_columns(source.index_select(0, items), self.content_width)
        if self.config.anchor == "current":
            return F.normalize(rows, dim=1)
        return rows.mul_(self.anchor_scale.index_select(0, items))
