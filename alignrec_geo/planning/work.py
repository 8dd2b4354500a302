"""What one step reads, writes and multiplies on one rank, counted from the operations of the models."""

from typing import NamedTuple

from alignrec_geo.planning.problem import Problem

FLOAT = 4
ENTRY = 8
"""Bytes of an entry of a sparse matrix: a value and a column."""
ADAM = 5
"""Passes of Adam over the parameters, as a copy counts them: value, gradient and two moments read, all but the gradient
written in place, which takes less than to write elsewhere."""
TABLE_PASSES = 1
"""Other passes over all nodes' rows in every model: the gradient is zeroed."""
PROPAGATION_PASSES = 11
"""Passes beside the products: the tables put together (2), scaled forward and backward (4), gradients of the batch's
rows, of the propagated and the initial table, written and added (5)."""
ROW_PASSES = 115
"""Of the loss over a triplet's row: gathered, compared, their gradients sorted and added up. Found by measuring."""
CONTENT_ITEM_PASSES = 24
"""Of content over the items' rows: gate, layers, presence, their gradients."""
CONTENT_USER_PASSES = 4
"""Of content over the users' rows: written, gathered from, and their gradient."""


class Work(NamedTuple):
    """What a step does.

    Example:
        >>> work(Problem(users=100, items=50, edges=1_000, model="lightgcn")).flops
        1024000.0
    """

    product_bytes: float
    """Read and written by products with sparse matrices: 8 per entry and a row of the table for each."""
    stream_bytes: float
    """Read and written one after the other."""
    gemm_flops: float
    """Of dense products."""
    flops: float
    """Of products with the user-item graph: ``8 E d L``, all ranks together."""


def work(problem: Problem) -> Work:
    r"""Count the work of one step on one rank.

    Forward and backward of :math:`L` layers on the user-item graph are :math:`2L` products over :math:`2E` entries:

    .. math::
        8\, E\, d\, L \text{ FLOP}, \qquad 2L \cdot 2E \cdot \left(8 + \frac{4d}{P}\right) \text{ bytes per rank}

    Args:
        problem: its sizes.
    """
    p = problem
    row = FLOAT * p.columns
    table = p.nodes * row
    stream = float((ADAM + TABLE_PASSES) * table)
    rows = ROW_PASSES * p.batch * row
    products, gemm = 0.0, 0.0
    if p.model != "bpr":
        products = 2.0 * p.layers * 2 * p.edges * (ENTRY + row)
        stream += (PROPAGATION_PASSES + 4 * p.layers) * table  # every product adds to what it reads
    if p.content:
        width = p.content
        entries = 2 * p.edges + 2 * p.item_layers * p.items * p.neighbours
        products += entries * (ENTRY + row)
        stream += CONTENT_ITEM_PASSES * p.items * row + CONTENT_USER_PASSES * p.users * row
        projected = 2.0 * p.items * width * p.dim / p.ranks
        gemm += (3 if p.train_features else 2) * projected
        gemm += 2 * 6.0 * p.batch**2 * p.dim  # InfoNCE of users and of items: logits and two gradients
        gemm += p.batch * width * min(width, p.batch) + 4.0 * p.batch * width * p.dim  # the similarity regulariser
        stream += FLOAT * p.items * width / p.ranks * (ADAM + 5 if p.train_features else 2)
        rows *= 2
    return Work(products, stream + rows, gemm, 8.0 * p.edges * p.dim * p.layers if products else 0.0)
