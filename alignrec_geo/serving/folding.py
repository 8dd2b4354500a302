"""Users from their histories by a rule that is linear in the items, so that it needs one table and no model."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from alignrec_geo.embeddings import Embeddings
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.spmm import spmm

Scale = Literal["root", "mean", "unit"]
RIDGE = 0.01
"""Weight of the ridge penalty, as a share of the mean square of what is regressed on."""


@dataclass(frozen=True)
class Folding:
    r"""Vectors of users from what they interacted with, linear in the items' rows.

    With the items' rows :math:`T_i`, a history :math:`w` (how often which item) and :math:`n = \sum_i w_i`:

    .. math::
        h = s\Big(\sum_i w_i T_i\Big) + b, \qquad
        s(x) = \frac{x}{\sqrt n} \text{ (root)}, \quad \frac{x}{n} \text{ (mean)}, \quad \frac{x}{\|x\|} \text{ (unit)}

    A user without a history gets :math:`b`. Two such rules added are one, too.

    Args:
        table: :math:`T`, ``[I, D]``.
        scale: :math:`s`.
        bias: :math:`b`, ``[D]``; ``None`` is zero.
        plus: a second rule, whose result is added.

    Shapes:
        - **input:** histories ``[B, I]``, whose values are the :math:`w`
        - **output:** ``[B, D]``

    Example:
        >>> basket = CSR.pattern(torch.tensor([0, 0]), torch.tensor([0, 2]), (1, 3))
        >>> Folding(torch.tensor([[1.0], [9.0], [3.0]]), "mean")(basket).tolist()
        [[2.0]]
    """

    table: Tensor
    scale: Scale
    bias: Tensor | None = None
    plus: "Folding | None" = None

    def __add__(self, other: "Folding") -> "Folding":
        """Both, added."""
        return replace(self, plus=other if self.plus is None else self.plus + other)

    def map(self, function: Callable[[Tensor], Tensor]) -> "Folding":
        """The rule followed by a linear map of rows, ``[n, D]`` to ``[n, D']``; not for unit length."""
        bias = None if self.bias is None else function(self.bias[None])[0]
        return Folding(function(self.table), self.scale, bias, None if self.plus is None else self.plus.map(function))

    def __call__(self, histories: CSR) -> Tensor:
        """Return the vectors of users with these histories."""
        histories = histories.map(lambda part: part.to(self.table.device, self.table.dtype))
        rows = spmm(histories, self.table)
        if self.scale == "unit":
            rows = F.normalize(rows, dim=1)
        else:
            n = history_sizes(histories)[:, None]
            rows = rows / (n.sqrt() if self.scale == "root" else n)
        rows = rows if self.bias is None else rows + self.bias
        return rows if self.plus is None else rows + self.plus(histories)


def history_sizes(histories: CSR) -> Tensor:
    """How many items every history holds, ``[B]``; 1 for an empty one, so that it can be divided by."""
    ones = torch.ones(histories.shape[1], 1, dtype=histories.matrix.dtype, device=histories.matrix.device)
    n = spmm(histories, ones)[:, 0]
    return torch.where(n > 0, n, 1.0)


def fitted_folding(tables: Embeddings, histories: CSR, items: Tensor | None = None) -> Folding:
    r"""Return the linear rule that comes closest to the users a model was trained with.

    For models whose users are free parameters. With the mean :math:`\bar v_u` of the item rows in user u's history,
    centred over the users, and the trained users :math:`h_u` with their mean :math:`\mu`, ridge regression gives

    .. math::
        W = \operatorname{arg\,min}_W \sum_u \| (\bar v_u - \bar v) W - (h_u - \mu) \|^2 + \lambda \|W\|^2, \qquad
        T_i = (V_i - \bar v)\, W, \quad b = \mu

    with :math:`\lambda` one hundredth of the mean square of the regressors, times the number of users.

    Args:
        tables: the trained users ``[U, D]`` and the items ``[I, D']`` that :math:`V` is.
        histories: the training pairs, ``[U, I]``.
        items: another table of the items to regress on, ``[I, D']``.
    """
    v = tables.items if items is None else items
    v = v.detach()
    histories = histories.map(lambda part: part.to(v.device, v.dtype))
    known = history_degree(histories) > 0
    means = Folding(v, "mean")(histories)[known].double()
    users = tables.users.detach()[known].double()
    centre, mean = means.mean(dim=0), users.mean(dim=0)
    x, y = means - centre, users - mean
    penalty = RIDGE * x.square().sum() / x.shape[1] + torch.finfo(torch.float64).tiny
    gram = x.T @ x + penalty * torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    weight = torch.linalg.solve(gram, x.T @ y)
    return Folding(((v.double() - centre) @ weight).to(v.dtype), "mean", mean.to(v.dtype))


def history_degree(histories: CSR) -> Tensor:
    """Stored items of every history, ``[B]``."""
    return histories.matrix.crow_indices().diff()
