r"""Derivatives in place of sums, for models that are not linear.

To first order a table :math:`f(x_1, x_2, \dots)` is :math:`\sum_n \frac{\partial f}{\partial x_n} x_n` and a remainder.
For one score and many rows that is gradient × input, one backward pass; for whole vectors and one group of rows it is
the derivative along these rows, two forward passes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from alignrec_geo.embeddings import Embeddings
from alignrec_geo.models.contributions import Branches, Explained, NodeInput

STEP = 2.0**-8
"""Relative step of the central difference: large against the rounding of float32, small against the kinks of ReLUs."""


@torch.no_grad()
def difference_branches(model: Explained) -> Branches:
    r"""Return the derivatives of both tables along the identities and along the content, by central differences.

    .. math::
        h_a = \frac{\partial h}{\partial x_a} x_a
            \approx \frac{h((1 + \epsilon) x_a) - h((1 - \epsilon) x_a)}{2 \epsilon}, \qquad
        x_a \in \{\text{identities}, \text{content}\}

    Args:
        model: a model without branches, in evaluation mode.
    """
    inputs = model.node_inputs()
    has_content = any(part.content for part in inputs)
    return Branches(_along(model, inputs, False), _along(model, inputs, True) if has_content else None)


def node_contributions(model: Explained, user: int, vector: Tensor) -> tuple[Tensor, Tensor]:
    r"""Return gradient × input of :math:`h_u^\top v` for every user's and every item's rows.

    Where the model has branches, the columns are what its identity and its content branch make of a node's rows;
    elsewhere, what comes from the node's identities and from its content.

    Args:
        model: the model, in evaluation mode.
        user: row of the user ``u``.
        vector: ``v``, ``[D]``.

    Returns:
        ``[U, 2]`` and ``[I, 2]``, float64.
    """
    inputs = model.node_inputs()
    with torch.no_grad():
        sizes = [len(table) for table in model()]
    both = vector.new_zeros(sum(sizes), 2, dtype=torch.float64)
    by_user, by_item = both.split(sizes)
    place = {"users": by_user, "items": by_item, "both": both}
    with torch.enable_grad():
        rows = {part.name: part.rows.detach().clone().requires_grad_() for part in inputs}
        made = model.tables_of(rows)
        tables = [made] if isinstance(made, Embeddings) else [table for table in made if table is not None]
        for column, table in enumerate(tables):
            score = table.users[user] @ vector.to(table.users.dtype)
            if not score.requires_grad:  # a branch that is not made of these rows
                continue
            gradients = torch.autograd.grad(score, list(rows.values()), allow_unused=True, retain_graph=True)
            for part, gradient in zip(inputs, gradients, strict=True):
                if gradient is not None:
                    own = int(part.content) if isinstance(made, Embeddings) else column
                    place[part.of][:, own] += (gradient * part.rows).flatten(1).double().sum(dim=1)
    return by_user, by_item


def _along(model: Explained, inputs: Sequence[NodeInput], content: bool) -> Embeddings:
    ends = []
    for factor in (1.0 + STEP, 1.0 - STEP):
        made = model.tables_of({x.name: x.rows * factor if x.content == content else x.rows for x in inputs})
        assert isinstance(made, Embeddings)
        ends.append(made)
    return Embeddings(*((up.double() - down.double()) / (2.0 * STEP) for up, down in zip(*ends, strict=True)))
