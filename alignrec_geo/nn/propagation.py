"""Several message-passing layers on one graph."""

import torch
from torch import Tensor, nn

from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.spmm import mean_propagation
from alignrec_geo.nn.conv import Conv, resolve_conv
from alignrec_geo.nn.graph_layer import Norm, Residual
from alignrec_geo.nn.reinitialise import reinitialise
from alignrec_geo.randomness import seeded


class Propagation(nn.Module):
    r"""``L`` layers on one graph; the result is the last layer's output, or the mean of the input and all outputs.

    .. math::
        \mathbf X^{(l+1)} = \text{layer}_l(\mathbf X^{(l)}, \text{graph}), \qquad
        \text{last} = \mathbf X^{(L)}, \quad \text{mean} = \tfrac{1}{L+1} \sum_{l=0}^{L} \mathbf X^{(l)}

    With the default layer the mean is one kernel that keeps no layer's output. All weights are drawn from a generator
    of one's own: layers are made, with the values they draw for themselves, inside
    :func:`~alignrec_geo.randomness.seeded`. Instances keep the values that they come with.

    Args:
        spec: the layers; see :data:`~alignrec_geo.nn.conv.Conv`.
        width: width ``d`` of the rows.
        layers: ``L``, at least 0.
        setting: name of the setting, for messages.
        residual: see :data:`~alignrec_geo.nn.graph_layer.Residual`.
        norm: see :data:`~alignrec_geo.nn.graph_layer.Norm`.

    Raises:
        InputError: see :func:`~alignrec_geo.nn.conv.resolve_conv`.

    Shapes:
        - **input:** a square graph ``[N, N]`` and ``x [N, d]``
        - **output:** ``[N, d]``

    Example:
        >>> graph = CSR.from_coo(torch.tensor([0, 1]), torch.tensor([1, 0]), torch.ones(2), (2, 2))
        >>> Propagation("light", width=1, layers=1)(graph, torch.tensor([[1.0], [2.0]])).tolist()
        [[2.0], [1.0]]
    """

    def __init__(
        self,
        spec: Conv,
        width: int,
        layers: int,
        setting: str = "user_item_conv",
        residual: Residual = "auto",
        norm: Norm = "none",
    ) -> None:
        super().__init__()
        self._given = spec, width, layers, setting, residual, norm
        with seeded(None):
            self.layers = self._make()
        self._edges: tuple[CSR, tuple[Tensor, Tensor]] | None = None

    @property
    def plain(self) -> bool:
        """Whether every layer is the default one."""
        return all(layer.plain for layer in self.layers)

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the layers' weights anew; layers without weights draw nothing."""
        reinitialise(self.layers, self._make, generator)

    def forward(self, graph: CSR, x: Tensor) -> Tensor:
        """Return the last layer's output."""
        for layer in self.layers:
            x = self._step(layer, graph, x)
        return x

    def mean(self, graph: CSR, x: Tensor) -> Tensor:
        """Return the mean of ``x`` and every layer's output."""
        if self.plain:
            return mean_propagation(graph, x, len(self.layers))
        total = x
        for layer in self.layers:
            x = self._step(layer, graph, x)
            total = total + x
        return total / (len(self.layers) + 1)

    def _make(self) -> nn.ModuleList:
        return nn.ModuleList(resolve_conv(*self._given))

    def _step(self, layer: nn.Module, graph: CSR, x: Tensor) -> Tensor:
        result: Tensor
        if layer.takes_csr:
            result = layer(x, graph)
            return result
        if self._edges is None or self._edges[0] is not graph:
            self._edges = graph, graph.edges()  # the list of edges is made once per graph
        result = layer(x, *self._edges[1])
        return result
