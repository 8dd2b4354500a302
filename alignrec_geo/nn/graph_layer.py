"""Any message-passing layer behind one signature: which graphs it takes, and what becomes of the edge weights."""

import inspect
from collections.abc import Callable
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric import EdgeIndex
from torch_geometric.nn import MessagePassing
from torch_geometric.nn.aggr import SumAggregation

from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.opaque import opaque
from alignrec_geo.nn.light_conv import LightConv

Residual = Literal["auto", "always", "never"]
"""When a layer's input is added to its output; ``auto``: for layers that have a weight matrix."""
Norm = Literal["none", "layer", "row"]
"""``layer``: LayerNorm whose gain begins at ``width ** -0.5``, so that rows begin near unit length; ``row``: unit
rows."""
Weights = Literal["passed", "edge_attr", "multiplied", "relative", "unused"]


class GraphLayer(nn.Module):
    r"""A layer of the user's or of PyG, as the models call it.

    .. math::
        \mathbf X^{\prime} = [\mathbf X +] \; \text{norm}\big(\text{conv}(\mathbf X, \text{graph})\big)

    What becomes of the edge weights depends on the layer:

    - ``passed``: it takes ``edge_weight``
    - ``edge_attr``: it takes ``edge_attr`` and was made with ``edge_dim``; weights are the one edge feature
    - ``multiplied``: a :class:`torch_geometric.nn.MessagePassing` that takes neither and **adds** messages; each is
      multiplied by its edge's weight
    - ``relative``: such a layer that averages, or weighs its messages by itself; each message is multiplied by its
      edge's weight over the mean weight of all edges into the same node, so that a mean becomes the weighted mean
    - ``unused``: anything else

    Args:
        conv: a module or function ``conv(x, edge_index)``, with ``edge_weight`` or ``edge_attr`` if it takes one.
        width: width of the rows.
        residual: see :data:`Residual`.
        norm: see :data:`Norm`.
        weights: what becomes of the weights; ``None`` looks at the layer.

    Shapes:
        - **input:** ``x [N, D]``; ``edge_index [2, E]`` (or an ``EdgeIndex``) with optional ``edge_weight [E]``, or a
          :class:`~alignrec_geo.kernels.csr.CSR` whose row ``i`` holds the weights of the nodes that ``i`` gathers from
        - **output:** ``[N, D]``

    Example:
        >>> from torch_geometric.nn import SAGEConv
        >>> layer = GraphLayer(SAGEConv(4, 4), width=4)
        >>> layer
        GraphLayer(SAGEConv(4, 4, aggr=mean), weights=relative, residual=True, norm=none)
    """

    def __init__(
        self,
        conv: nn.Module | Callable[..., Tensor],
        width: int,
        residual: Residual = "auto",
        norm: Norm = "none",
        weights: Weights | None = None,
    ) -> None:
        super().__init__()
        self.conv = conv
        self.weights = weights or _use_of_weights(conv)
        self.residual = has_weights(conv) if residual == "auto" else residual == "always"
        self.norm = norm
        self.layer_norm = nn.LayerNorm(width) if norm == "layer" else None
        if self.layer_norm is not None:
            nn.init.constant_(self.layer_norm.weight, width**-0.5)

    @property
    def plain(self) -> bool:
        """Whether it is nothing but one product with the weights, so that several layers are one kernel."""
        return isinstance(self.conv, LightConv) and not self.residual and self.norm == "none"

    @property
    def takes_csr(self) -> bool:
        """Whether it runs on the compressed form; the others get the list of edges."""
        return isinstance(self.conv, LightConv)

    def forward(self, x: Tensor, edge_index: Tensor | CSR, edge_weight: Tensor | None = None) -> Tensor:
        """Return the new rows of all nodes."""
        if isinstance(edge_index, CSR) and not self.takes_csr:
            edge_index, edge_weight = edge_index.edges()
        result = self._convolved(x, edge_index, edge_weight)
        if self.layer_norm is not None:
            result = self.layer_norm(result)
        elif self.norm == "row":
            result = F.normalize(result, dim=1)
        return x + result if self.residual else result

    def _convolved(self, x: Tensor, edge_index: Any, edge_weight: Tensor | None) -> Tensor:
        result: Tensor
        if edge_weight is None or self.weights == "unused":
            result = self.conv(x, edge_index)
        elif self.weights == "passed":
            result = self.conv(x, edge_index, edge_weight=edge_weight)
        elif self.weights == "edge_attr":
            result = self.conv(x, edge_index, edge_attr=edge_weight[:, None])
        else:
            if isinstance(edge_index, EdgeIndex):
                edge_index = edge_index.as_tensor()  # on an EdgeIndex PyG makes no messages that could be multiplied
            weight = relative(edge_weight, edge_index[1], len(x)) if self.weights == "relative" else edge_weight
            result = _with_multiplied_messages(self.conv, x, edge_index, weight)
        return result

    def __repr__(self) -> str:
        conv = self.conv if isinstance(self.conv, nn.Module) else getattr(self.conv, "__name__", repr(self.conv))
        return f"{type(self).__name__}({conv}, weights={self.weights}, residual={self.residual}, norm={self.norm})"


def relative(weight: Tensor, target: Tensor, n_nodes: int) -> Tensor:
    """Return every weight over the mean weight of the edges into the same node.

    Args:
        weight: ``[E]``.
        target: ``[E]`` int64, the node an edge leads to.
        n_nodes: number of nodes.

    Example:
        >>> relative(torch.tensor([1.0, 3.0, 5.0]), torch.tensor([0, 0, 1]), 2).tolist()
        [0.5, 1.5, 1.0]
    """
    total = weight.new_zeros(n_nodes).index_add_(0, target, weight)
    mean = total / torch.bincount(target, minlength=n_nodes).clamp(min=1)
    return weight / mean.clamp(min=torch.finfo(weight.dtype).tiny)[target]


def has_weights(conv: object) -> bool:
    """Whether a layer has a weight matrix, which makes it worth a residual."""
    return isinstance(conv, nn.Module) and any(parameter.dim() > 1 for parameter in conv.parameters())


def _use_of_weights(conv: Any) -> Weights:
    try:
        taken = inspect.signature(conv.forward if isinstance(conv, nn.Module) else conv).parameters
    except (TypeError, ValueError):  # functions of C do not say what they take
        return "unused"
    if "edge_weight" in taken:
        return "passed"
    if "edge_attr" in taken:
        return "edge_attr" if getattr(conv, "edge_dim", None) is not None else "unused"
    if not isinstance(conv, MessagePassing):
        return "unused"
    adds = conv.aggr in ("add", "sum") or isinstance(conv.aggr_module, SumAggregation)
    return "multiplied" if adds else "relative"


@opaque  # compiled, PyG leaves hooks out
def _with_multiplied_messages(conv: Any, x: Tensor, edge_index: Tensor, weight: Tensor) -> Tensor:
    def multiply(module: object, inputs: object, messages: Tensor) -> Tensor:
        if len(messages) != len(weight):
            raise ValueError(
                f"it made {len(messages)} messages of {len(weight)} weighted edges; let it add no edges of its own "
                "(add_self_loops=False), or take edge_weight"
            )
        return messages * weight.view(-1, *[1] * (messages.dim() - 1))

    hook = conv.register_message_forward_hook(multiply)
    try:
        result: Tensor = conv(x, edge_index)
        return result
    finally:
        hook.remove()
