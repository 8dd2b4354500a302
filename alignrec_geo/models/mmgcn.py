"""MMGCN: one graph network per modality."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from torch_geometric.data import HeteroData

from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.graph.adjacency import mean_adjacency
from alignrec_geo.graph.modalities import Modality, modalities
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.gather import gather_rows
from alignrec_geo.kernels.spmm import spmm
from alignrec_geo.kernels.triplet_loss import triplet_loss
from alignrec_geo.kernels.unique import distinct
from alignrec_geo.kernels.unit_rows import unit_rows
from alignrec_geo.models.base import Batch, ModelConfig
from alignrec_geo.models.contributions import NodeInput
from alignrec_geo.models.graph_model import GraphRecommender
from alignrec_geo.nn.init import init_linear, init_xavier, linear
from alignrec_geo.nn.modality_encoder import ModalityEncoder
from alignrec_geo.randomness import child_generator
from alignrec_geo.serving.folding import history_sizes


class MMGCNConfig(ModelConfig):
    """Settings of :class:`MMGCN`."""

    training_defaults: ClassVar[Mapping[str, Any]] = {"lr_decay": 1.0}
    search_space: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "l2_weight": (0.0, 1e-5, 1e-4, 1e-3, 0.01, 0.1),
        "training.lr": (1e-4, 5e-4, 1e-3, 5e-3),
    }

    dim: int = Field(default=64, ge=1)
    """Width d of the embeddings."""
    layers: int = Field(default=3, ge=1, le=100)
    """Layers L of every modality's network."""
    latent_dim: int = Field(default=256, ge=1)
    """Width to which features are projected before the first layer."""
    projected: Literal["first", "all", "none"] = "first"
    """Which modalities are projected; the others enter the first layer at their own width."""
    feature_scaling: Literal["none", "row"] = "none"
    """``row``: unit rows per feature matrix; ``none``: as loaded."""
    ids: Literal["learned", "frozen"] = "learned"
    """Whether ids and preferences train, as in the paper, or stay at their random start, as in the reference code."""
    l2_weight: float = Field(default=1e-4, ge=0.0)
    """Weight of the mean squares of ids and preferences; of no effect where these are frozen."""


class MMGCNLayer(nn.Module):
    r"""One layer: the neighbours' mean beside the node itself and its id.

    .. math::
        x' = \phi(g\,[\phi(D^{-1} A\, x C) \,\|\, \phi(\ell\, x) + Y])

    with :math:`\phi` the leaky ReLU.

    Args:
        width: columns of ``x``.
        dim: width of the ids ``Y`` and of the output.

    Shapes:
        - **input:** ``x`` ``[N, width]``, ids ``[N, dim]``, rows ``[n]`` int64 or ``None`` for all
        - **output:** ``[n, dim]``, the nodes that ``rows`` names
    """

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        self.neighbour = nn.Parameter(torch.empty(width, width))  # C
        self.own = linear(width, dim)  # ℓ
        self.combine = linear(width + dim, dim)  # g

    def reset_parameters(self, generator: torch.Generator, combine: Literal["uniform", "xavier_normal"]) -> None:
        """Draw the parameters anew, the weight of :math:`g` as ``combine`` says."""
        init_xavier(self.neighbour, generator, "xavier_normal")
        init_linear(self.own, generator, "xavier_normal")
        init_linear(self.combine, generator, combine)

    def forward(self, x: Tensor, ids: Tensor, graph: CSR, rows: Tensor | None = None) -> Tensor:
        """Return the new rows of all nodes, or of some."""
        near = spmm(graph, x @ self.neighbour)
        if rows is not None:
            near, x, ids = gather_rows(near, rows), gather_rows(x, rows), gather_rows(ids, rows)
        return self.combined(near, x, ids)

    def combined(self, near: Tensor, x: Tensor, ids: Tensor) -> Tensor:
        """Return the new rows of nodes whose neighbours' mean is ``near``, ``[n, width]``."""
        near, own = F.leaky_relu(near), F.leaky_relu(self.own(x)) + ids
        # g [near ‖ own] without laying the two side by side
        of_near, of_own = self.combine.weight.split([near.shape[1], own.shape[1]], dim=1)
        return F.leaky_relu(torch.addmm(F.linear(own, of_own, self.combine.bias), near, of_near.T))


class MMGCNNetwork(nn.Module):
    """The layers of one modality.

    Args:
        width: columns of the first layer's input.
        dim: width of the ids and of every layer's output.
        layers: how many layers, at least 1.

    Shapes:
        - **input:** ``x`` ``[N, width]``, ids ``[N, dim]``, rows ``[n]`` int64 or ``None`` for all
        - **output:** ``[n, dim]``, the nodes that ``rows`` names
    """

    def __init__(self, width: int, dim: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(MMGCNLayer(dim if depth else width, dim) for depth in range(layers))

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the parameters anew."""
        for depth, layer in enumerate(self.layers):
            assert isinstance(layer, MMGCNLayer)
            layer.reset_parameters(generator, "uniform" if depth else "xavier_normal")

    def forward(self, x: Tensor, ids: Tensor, graph: CSR, rows: Tensor | None = None) -> Tensor:
        """Return the last layer's rows of all nodes, or of some."""
        *inner, last = self.layers
        for layer in inner:
            x = layer(x, ids, graph)
        return last(x, ids, graph, rows)  # type: ignore[no-any-return]

    def fold_in(self, own: Tensor, own_ids: Tensor, x: Tensor, ids: Tensor, graph: CSR, means: CSR) -> Tensor:
        """Return the last layer's rows of new nodes.

        Args:
            own: what the new nodes start from, ``[B, width]``.
            own_ids: their ids, ``[B, dim]``.
            x: of all nodes of the graph.
            ids: likewise.
            graph: the graph.
            means: by which new nodes take the mean of their neighbours, ``[B, N]``.
        """
        for layer in self.layers:
            assert isinstance(layer, MMGCNLayer)
            near = spmm(means, x @ layer.neighbour)
            own = layer.combined(near, own, own_ids)
            x = layer(x, ids, graph)
        return own


class MMGCN(GraphRecommender):
    r"""`"MMGCN: Multi-modal Graph Convolution Network for Personalized Recommendation of Micro-video"
    <https://doi.org/10.1145/3343031.3351034>`_.

    Every modality m has users' preferences :math:`p_m` and a network of L layers (:class:`MMGCNLayer`) over the
    user-item graph; all share the ids :math:`Y`:

    .. math::
        x^0_m = \text{norm}([p_m ; M_m F_m]), \quad x^l_m = \text{layer}^l_m(x^{l-1}_m, Y), \quad
        h = \tfrac{1}{|M|} \sum_m x^L_m, \quad \text{score} = h_u^\top h_i

    The loss is BPR plus the mean squares of the batch's ids and of all preferences. Ids and preferences are learned, as
    in the paper, or ``frozen`` at their random start, as in the public reference code. Unlike the paper, which sums the
    modalities, the mean is taken. An item that lacks a modality enters its network with a zero row, still receives
    its neighbours' messages there, and all modalities count in the mean.

    Args:
        data: the graph (see :func:`alignrec_geo.graph.to_hetero`).
        features: names of the item features to use; ``None`` takes all ``x_NAME``.
        config: settings; ``None`` takes the defaults.
        seed: seed of the initial parameters.

    Raises:
        InputError: the graph lacks a feature, or there is none.
    """

    config_class = MMGCNConfig
    config: MMGCNConfig

    def __init__(
        self,
        data: HeteroData,
        features: Sequence[str] | None = None,
        config: MMGCNConfig | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(data, features, config)
        if not self.features:
            raise InputError("MMGCN learns from content: it needs at least one feature matrix (got none)")
        dim = self.config.dim
        parts = modalities(data, self.features, self.config.feature_scaling)
        inputs = [self._input_layer(number, part) for number, part in enumerate(parts)]
        widths = [
            layer.out_features if isinstance(layer, nn.Linear) else part.x.shape[1]
            for layer, part in zip(inputs, parts, strict=True)
        ]
        learned = self.config.ids == "learned"
        self.embedding = nn.Parameter(torch.empty(self.n_users + self.n_items, dim), requires_grad=learned)  # Y
        self.preferences = nn.ParameterList(  # p
            nn.Parameter(torch.empty(self.n_users, width), requires_grad=learned) for width in widths
        )
        self.encoder = ModalityEncoder(parts, inputs)  # M
        self.networks = nn.ModuleList(MMGCNNetwork(width, dim, self.config.layers) for width in widths)
        self.graph: CSR = mean_adjacency(self.pairs, self.n_users, self.n_items)
        self.reset_parameters(child_generator(seed, "init"))

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the parameters anew."""
        for table in (self.embedding, *self.preferences):
            init_xavier(table, generator, "xavier_normal")
        for layer in self.encoder.layers:
            if isinstance(layer, nn.Linear):
                init_linear(layer, generator)
        for network in self.networks:
            assert isinstance(network, MMGCNNetwork)
            network.reset_parameters(generator)

    def encode(self) -> Embeddings:
        """Return the mean of the modalities' tables ``h``, ``[U, d]`` and ``[I, d]``."""
        nodes = self._nodes()
        return Embeddings(nodes[: self.n_users], nodes[self.n_users :])

    def node_inputs(self) -> list[NodeInput]:
        """Ids, and the unit rows of users' preferences and of the items' content."""
        found = [NodeInput("ids", self.embedding.detach(), "both")]
        for name, rows in zip(self.features, self._start(), strict=True):
            found.append(NodeInput(f"preference {name}", rows[: self.n_users].detach(), "users"))
            found.append(NodeInput(f"content {name}", rows[self.n_users :].detach(), "items", content=True))
        return found

    def tables_of(self, rows: Mapping[str, Tensor]) -> Embeddings:
        """The tables of other ids and unit rows."""
        start = [torch.cat([rows[f"preference {name}"], rows[f"content {name}"]]) for name in self.features]
        return Embeddings(*self._networked(start, rows["ids"]).split([self.n_users, self.n_items]))

    def folding(self) -> None:
        """Not linear; see :meth:`fold_in`."""

    @torch.no_grad()
    def fold_in(self, histories: CSR) -> Tensor:
        """Return vectors of users whom the model was not trained on, ``[B, d]``.

        The layers run on users whose preferences and ids are estimated; what they would change in the items is left
        out.
        """
        histories = histories.map(lambda part: part.to(self.embedding.device, self.embedding.dtype))
        (item, new), weight = histories.edges()
        means = CSR.from_coo(
            new,
            item + self.n_users,
            weight / history_sizes(histories)[new],
            (histories.shape[0], self.n_users + self.n_items),
        )
        outputs, ids = [], self.own_rows(self.embedding[: self.n_users])(histories)
        for preference, content, network in zip(self.preferences, self.encoder(), self.networks, strict=True):
            assert isinstance(network, MMGCNNetwork)
            own, x = unit_rows(self.own_rows(preference)(histories)), unit_rows(torch.cat([preference, content]))
            outputs.append(network.fold_in(own, ids, x, self.embedding, self.graph, means))
        return torch.stack(outputs).mean(dim=0)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms ``bpr`` and ``l2``."""
        rows = torch.cat([batch.users, batch.positives + self.n_users, batch.negatives + self.n_users])
        found = distinct(rows)
        user, positive, negative = found.spread(self._nodes(found.ids)).chunk(3)  # [B, d] each
        squares = gather_rows(self.embedding, rows).square().sum(dim=1).chunk(3)  # [B] each
        # a user stands beside the positive and beside the negative, hence twice
        ids = (2.0 * squares[0] + squares[1] + squares[2]).mean() / (2.0 * self.config.dim)
        preferences = torch.stack([table.square().mean() for table in self.preferences]).sum()
        return {
            "bpr": triplet_loss(user, positive, negative, batch.nominal_size).bpr,
            "l2": self.config.l2_weight * (ids + preferences),
        }

    def _nodes(self, rows: Tensor | None = None) -> Tensor:
        """``h`` of the nodes ``rows``, ``[n, d]``; without ``rows`` of all, users first."""
        return self._networked(self._start(), self.embedding, rows)

    def _start(self) -> list[Tensor]:
        """Every modality's rows of all nodes before its network, ``[N, width]``."""
        return [unit_rows(torch.cat(pair)) for pair in zip(self.preferences, self.encoder(), strict=True)]

    def _networked(self, start: Sequence[Tensor], ids: Tensor, rows: Tensor | None = None) -> Tensor:
        outputs = [network(x, ids, self.graph, rows) for x, network in zip(start, self.networks, strict=True)]
        return torch.stack(outputs).mean(dim=0)

    def _input_layer(self, number: int, part: Modality) -> nn.Module:
        projected = self.config.projected == "all" or (self.config.projected == "first" and number == 0)
        return linear(part.x.shape[1], self.config.latent_dim) if projected else nn.Identity()
