"""Message passing from nodes of one kind to nodes of another, with any layer."""

from typing import cast

import torch
from torch import Tensor, nn

from alignrec_geo.errors import InputError
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.ranges import check_rows
from alignrec_geo.nn.conv import Conv, resolve_conv
from alignrec_geo.nn.graph_layer import GraphLayer, Norm, Residual
from alignrec_geo.nn.reinitialise import reinitialise
from alignrec_geo.randomness import seeded


class BipartiteLayer(nn.Module):
    """A layer on the edges between two kinds of nodes.

    Few layers can do that by themselves, so both kinds are put into one graph, sources first, and the targets' rows of
    the result are taken. Edges within one kind are passed on as they are.

    Args:
        layer: the layer.

    Shapes:
        - **input:** ``x [N, d]`` or a pair of sources ``[S, d]`` and targets ``[T, d]``; a CSR ``[T, S]`` whose rows
          gather, or ``edge_index [2, E]`` (sources, targets) with optional ``edge_weight [E]``. With a CSR the targets
          may be ``None``: zero rows
        - **output:** the targets' new rows, ``[T, d]``

    Example:
        >>> from alignrec_geo.nn.light_conv import LightConv
        >>> edges = torch.tensor([[0, 1], [0, 0]])
        >>> pair = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0]])
        >>> BipartiteLayer(GraphLayer(LightConv(), 1))(pair, edges).tolist()
        [[3.0]]
    """

    def __init__(self, layer: GraphLayer) -> None:
        super().__init__()
        self.layer = layer
        self._edges: tuple[CSR, tuple[Tensor, Tensor]] | None = None
        self._checked: Tensor | None = None

    def forward(
        self, x: Tensor | tuple[Tensor, Tensor | None], edge_index: Tensor | CSR, edge_weight: Tensor | None = None
    ) -> Tensor:
        """Return the targets' new rows."""
        if isinstance(edge_index, CSR) and self.layer.plain:
            return cast(Tensor, self.layer(x if isinstance(x, Tensor) else x[0], edge_index))
        n_targets = 0
        self._check(x, edge_index)
        if isinstance(edge_index, CSR):
            n_targets = edge_index.shape[0]
            if self._edges is None or self._edges[0] is not edge_index:
                self._edges = edge_index, edge_index.edges()  # the list of edges is made once per graph
            edge_index, edge_weight = self._edges[1]
        if isinstance(x, Tensor):
            return cast(Tensor, self.layer(x, edge_index, edge_weight))
        source, target = x
        if target is None:
            target = source.new_zeros(n_targets, source.shape[1])
        source_node, target_node = edge_index
        shifted = torch.stack([source_node, target_node + len(source)])
        result: Tensor = self.layer(torch.cat([source, target]), shifted, edge_weight)
        return result[len(source) :]

    def _check(self, x: Tensor | tuple[Tensor, Tensor | None], edge_index: Tensor | CSR) -> None:
        """Refuse edges to or from nodes that have no row: beside the other kind's rows they would find some.

        Raises:
            InputError: names the number and how many there are.
        """
        if isinstance(x, Tensor):
            return
        source, target = x
        if isinstance(edge_index, CSR):
            rows = edge_index.shape[0] if target is None else len(target)
            if edge_index.shape != (rows, len(source)):
                raise InputError(
                    f"a graph of shape {edge_index.shape} does not fit {rows} targets and {len(source)} sources"
                )
        elif self._checked is not edge_index:
            check_rows(edge_index[0], len(source), "source")
            check_rows(edge_index[1], 0 if target is None else len(target), "target")
            self._checked = edge_index  # once per graph


class BipartitePropagation(nn.Module):
    """One layer that gives nodes of a second kind rows made of the first kind's alone: their own rows are zero.

    Args:
        spec: the layer; see :data:`~alignrec_geo.nn.conv.Conv`.
        width: width ``d`` of the rows.
        setting: name of the setting, for messages.
        residual: see :data:`~alignrec_geo.nn.graph_layer.Residual`.
        norm: see :data:`~alignrec_geo.nn.graph_layer.Norm`.

    Raises:
        InputError: see :func:`~alignrec_geo.nn.conv.resolve_conv`.

    Shapes:
        - **input:** a graph ``[T, S]`` and ``x [S, d]``
        - **output:** ``[T, d]``
    """

    def __init__(
        self, spec: Conv, width: int, setting: str = "user_conv", residual: Residual = "auto", norm: Norm = "none"
    ) -> None:
        super().__init__()
        self._given = spec, width, 1, setting, residual, norm
        with seeded(None):
            self.crossing = self._make()

    @property
    def plain(self) -> bool:
        """Whether the layer is the default one."""
        return self.crossing.layer.plain

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the layer's weights anew; a layer without weights draws nothing."""
        reinitialise(self.crossing, self._make, generator)

    def _make(self) -> BipartiteLayer:
        return BipartiteLayer(resolve_conv(*self._given)[0])

    def forward(self, graph: CSR, x: Tensor) -> Tensor:
        """Return the second kind's rows."""
        result: Tensor = self.crossing((x, None), graph)
        return result
