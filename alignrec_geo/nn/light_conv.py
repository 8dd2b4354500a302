"""Weighted neighbourhood sum without parameters."""

from torch import Tensor
from torch_geometric.nn import MessagePassing
from torch_geometric.typing import OptTensor

from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.spmm import spmm


class LightConv(MessagePassing):  # type: ignore[misc]
    r"""The propagation of `"LightGCN" <https://arxiv.org/abs/2002.02126>`_ on weights that are already normalised.

    .. math::
        \mathbf{x}^{\prime}_i = \sum_{j \in \mathcal{N}(i)} w_{j,i} \, \mathbf{x}_j

    Like ``torch_geometric.nn.LGConv(normalize=False)``; with a :class:`~alignrec_geo.kernels.csr.CSR` in place of
    ``edge_index`` it is one sparse product, forward and backward.

    Shapes:
        - **input:** node features ``[N, D]``; ``edge_index`` ``[2, E]`` with optional ``edge_weight`` ``[E]``, or a CSR
          whose row ``i`` holds the weights of the nodes that ``i`` gathers from
        - **output:** ``[N, D]``

    Example:
        >>> import torch
        >>> conv = LightConv()
        >>> conv(torch.tensor([[1.0], [2.0]]), torch.tensor([[0, 1], [1, 0]])).tolist()
        [[2.0], [1.0]]
    """

    def __init__(self) -> None:
        super().__init__(aggr="add")

    def forward(self, x: Tensor, edge_index: Tensor | CSR, edge_weight: OptTensor = None) -> Tensor:
        """Return the weighted sum over each node's neighbours."""
        if isinstance(edge_index, CSR):
            return spmm(edge_index, x)
        result: Tensor = self.propagate(edge_index, x=x, edge_weight=edge_weight)
        return result

    def message(self, x_j: Tensor, edge_weight: OptTensor) -> Tensor:
        """Weigh a neighbour's features."""
        return x_j if edge_weight is None else edge_weight.view(-1, 1) * x_j

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"
