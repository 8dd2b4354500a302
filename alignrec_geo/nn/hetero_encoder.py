"""Message passing on several kinds of nodes and edges."""

import warnings
from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import HeteroConv
from torch_geometric.typing import EdgeType

from alignrec_geo.errors import InputError
from alignrec_geo.nn.bipartite import BipartiteLayer
from alignrec_geo.nn.conv import Conv, resolve_conv
from alignrec_geo.nn.graph_layer import Norm, Residual, has_weights
from alignrec_geo.nn.reinitialise import reinitialise
from alignrec_geo.randomness import seeded


class HeteroEncoder(nn.Module):
    r"""``L`` layers of PyG's ``HeteroConv``; the result is the mean of the input and all outputs.

    .. math::
        \mathbf X_t^{(l+1)} = [\mathbf X_t^{(l)} +] \; \text{mean}_{(s, r, t)}\;
            \text{layer}_{l,(s, r, t)}(\mathbf X_s^{(l)}, \mathbf X_t^{(l)})

    The mean is over the edge types that lead to ``t``, so that rows keep their size however many there are. Nodes of a
    kind that no edge type leads to keep their rows. Any layer works on any edge type
    (see :class:`~alignrec_geo.nn.bipartite.BipartiteLayer`).

    Args:
        convs: layers by edge type; see :data:`~alignrec_geo.nn.conv.Conv`.
        width: width ``d`` of the rows.
        layers: ``L``.
        residual: add a layer's input to its output; ``auto``: where an edge type's layer has a weight matrix.
        norm: normalise each edge type's messages; see :data:`~alignrec_geo.nn.graph_layer.Norm`.
        outputs: node types whose rows are used; the last layer computes no others. ``None`` means all.

    Raises:
        InputError: see :func:`~alignrec_geo.nn.conv.resolve_conv`.

    Shapes:
        - **input:** rows ``[N_t, d]`` by node type; by edge type a CSR ``[N_t, N_s]``, or ``edge_index`` ``[2, E]``
          with ``edge_weight [E]``
        - **output:** rows ``[N_t, d]`` by node type

    Example:
        >>> encoder = HeteroEncoder({("user", "likes", "item"): "light"}, width=1, layers=1)
        >>> x = {"user": torch.tensor([[1.0]]), "item": torch.tensor([[0.0], [4.0]])}
        >>> encoder(x, {("user", "likes", "item"): torch.tensor([[0], [1]])})["item"].tolist()
        [[0.0], [2.5]]
    """

    def __init__(
        self,
        convs: Mapping[EdgeType, Conv],
        width: int,
        layers: int,
        residual: Residual = "auto",
        norm: Norm = "none",
        outputs: Collection[str] | None = None,
    ) -> None:
        super().__init__()
        if not convs:
            raise InputError("user_item_conv: name a layer for at least one edge type (got none)")
        self._convs, self._options = dict(convs), (width, layers, residual, norm)
        self._outputs = {end for edge_type in convs for end in edge_type[::2]} if outputs is None else set(outputs)
        self.edge_types = tuple(convs)
        with seeded(None):
            self.layers = self._make()

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the layers' weights anew; layers without weights draw nothing."""
        reinitialise(self.layers, self._make, generator)

    def forward(
        self,
        x: Mapping[str, Tensor],
        graphs: Mapping[EdgeType, Any],
        edge_weight: Mapping[EdgeType, Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """Return the mean of the rows and every layer's output, by node type."""
        for edge_type in self.edge_types:
            if edge_type not in graphs or edge_type[0] not in x or edge_type[2] not in x:
                raise InputError(f"edges of type '{'__'.join(edge_type)}' and rows of both its ends are needed")
        weights = {} if edge_weight is None else {"edge_weight_dict": edge_weight}
        rows, total = dict(x), dict(x)
        for layer in self.layers:
            adds = self._adding(layer)
            reached = layer(rows, graphs, **weights)
            rows |= {kind: rows[kind] + new if kind in adds else new for kind, new in reached.items()}
            total = {kind: total[kind] + rows[kind] for kind in total}
        return {kind: table / (len(self.layers) + 1) for kind, table in total.items()}

    def _adding(self, layer: nn.Module) -> set[str]:
        """The node types whose old rows a layer keeps as a part of the new ones."""
        rule = self._options[2]
        crossings = layer.convs.items()  # type: ignore[operator, union-attr]
        return {
            edge_type[2]
            for edge_type, crossing in crossings
            if rule == "always" or (rule == "auto" and has_weights(crossing.layer.conv))
        }

    def _make(self) -> nn.ModuleList:
        width, layers, _, norm = self._options
        made = {
            edge_type: resolve_conv(conv, width, layers, f"user_item_conv[{'__'.join(edge_type)}]", "never", norm)
            for edge_type, conv in self._convs.items()
        }
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="There exist node types")  # those keep their rows
            return nn.ModuleList(
                HeteroConv(
                    {
                        edge_type: BipartiteLayer(each[number])
                        for edge_type, each in made.items()
                        if number < layers - 1 or edge_type[2] in self._outputs
                    },
                    aggr="mean",
                )
                for number in range(layers)
            )
