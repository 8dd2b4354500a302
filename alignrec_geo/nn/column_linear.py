"""Linear maps of feature matrices whose columns may lie on several ranks."""

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import skip_init

from alignrec_geo.distributed import current, own_columns, scattered_sum, shared, summed
from alignrec_geo.distributed.tables import marked
from alignrec_geo.nn.init import linear


class ColumnLinear(nn.Linear):
    """A linear map on this rank's columns of its input: every rank has the columns of the weight that they meet.

    Shapes:
        - **input:** this rank's columns, ``[n, w]``
        - **output:** ``[n, d]``, the same on every rank
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the sum of what all ranks make of their columns."""
        result = summed(F.linear(input, self.weight))
        return result if self.bias is None else result + self.bias


def column_linear(inputs: int, outputs: int, bias: bool = True) -> nn.Linear:
    """Return a linear layer for features, not drawn yet: torch's own, or on many ranks a :class:`ColumnLinear`.

    Args:
        inputs: width ``D`` of the features.
        outputs: width ``d``.
        bias: whether it has one.

    Example:
        >>> column_linear(3, 2)
        Linear(in_features=3, out_features=2, bias=True)
    """
    group = current()
    if group is None:
        return linear(inputs, outputs, bias)
    layer: nn.Linear = skip_init(ColumnLinear, group.share(inputs).size, outputs, bias=bias)
    marked(layer.weight, inputs)
    return layer


def one_map(second: nn.Linear, first: nn.Linear) -> tuple[Tensor, Tensor]:
    r"""Return weight and bias of :math:`G (W x + b) + b_G`, two maps in a row, as one; the product :math:`G W` is tiny.

    Args:
        second: :math:`G, b_G`, ``[d, d]``, whole on every rank.
        first: :math:`W, b`, made by :func:`column_linear`.

    Returns:
        ``[d, D]``, where columns lie apart this rank's, and ``[d]``.
    """
    return shared(second.weight) @ first.weight, second.weight @ first.bias + second.bias


def linear_to_columns(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    r"""Return :math:`x W^\top + b`; on many ranks this one's columns of it, from its columns of ``x`` and ``W``.

    A reduce-scatter forward, an all-gather backward, each of ``n d`` numbers.

    Args:
        x: ``[n, D]``, or this rank's columns of it.
        weight: ``[d, D]``, likewise.
        bias: ``[d]``, whole.
    """
    if current() is None:
        return F.linear(x, weight, bias)
    return scattered_sum(F.linear(x, weight)) + own_columns(bias)
