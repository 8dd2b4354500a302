"""Memory of one rank, part by part."""

from typing import NamedTuple

from alignrec_geo.kernels.counting_sort import BLOCK
from alignrec_geo.planning.problem import Problem

FLOAT = 4
PROGRAM = 0.55e9
"""Python, torch and PyG, and whatever they load."""
CONTEXT = 0.6e9
"""Of a GPU: its context and the libraries' workspaces."""
DATA_SET_PAIR, DATA_SET_NODE = 26, 120
"""Bytes of an open data set: rows, split and what they are read from; ids as text."""
PAIR = 16
"""Bytes of a training pair that a model keeps."""
TRIPLET_PAIR = 24
"""Bytes of the triplet sampler per pair, see :class:`~alignrec_geo.training.sampling.TripletSampler`."""
GPU_TRIPLET_PAIR, BLOCK_PAIR = 20, 64
"""The same on a GPU, for all pairs and for those that are drawn at a time."""
MOST_FLAGS = 2 << 27
"""Bytes of two tables of flags at most."""
TABLES = {"bpr": 5.0, "lightgcn": 9.0, "alignrec": 9.0}
"""Tables ``[N, d/P]`` that a step holds: parameters, gradients, two moments; those put together, two of the
propagation, its gradient, that of the batch's rows."""
SAVED = 8.0
"""Tables that are held besides when an epoch is saved and a run is written: the chosen parameters, copies of parameters
and moments on their way to the file, the embeddings, the rule for new users."""
BATCH_ROWS = {"bpr": 14, "lightgcn": 15, "alignrec": 20}
"""Rows ``[d/P]`` per triplet: of users, positives and negatives, initial and propagated, and their gradients."""
SQUARES = 24e6
"""Of InfoNCE's batch×batch matrices what exists at a time."""


class Part(NamedTuple):
    """One line of the memory of a rank."""

    name: str
    bytes: float
    on_device: bool
    """Whether a GPU holds it, where there is one."""


def parts(problem: Problem, on_gpu: bool = False) -> list[Part]:
    """Return what a rank's memory holds at its fullest.

    Args:
        problem: its sizes.
        on_gpu: the tables are on a GPU; what is saved passes through the host.
    """
    p = problem
    table = FLOAT * p.columns * p.nodes
    pair = DATA_SET_PAIR + PAIR
    found = [
        Part("program", PROGRAM, False),
        Part("data set", pair * p.edges + DATA_SET_NODE * p.nodes, False),
        Part("triplets", _triplets(p.edges, on_gpu), on_gpu),
        Part("tables, gradients, moments", TABLES[p.model] * table, True),
        Part("saving", SAVED * table, False),
        Part("batch", BATCH_ROWS[p.model] * p.batch * FLOAT * p.columns, True),
    ]
    if on_gpu:
        found.append(Part("context", CONTEXT, True))
    if p.model != "bpr":
        found.append(Part("graph", 2 * 8 * p.edges + 12 * p.nodes, True))
    if p.content:
        content = FLOAT * p.items * p.content / p.ranks
        copies = 5 if p.train_features else 1  # gradient, two moments and the anchor besides
        graphs = (16 if on_gpu else 4) * p.edges + 36 * p.items * p.neighbours
        sides = FLOAT * p.columns * (p.users + 2 * p.items)
        found += [
            Part("features as stored", FLOAT * p.items * p.content, False),
            Part("content vectors", copies * content, True),
            Part("content graphs and rows", graphs + sides + SQUARES, True),
        ]
    return found


def _triplets(edges: int, on_gpu: bool) -> int:
    """The triplet sampler, with the flag tables of its :class:`~alignrec_geo.kernels.pair_set.PairSet` on a CPU."""
    if on_gpu:
        return GPU_TRIPLET_PAIR * edges + BLOCK_PAIR * min(edges, BLOCK)
    bits = max(8 * edges - 1, 1).bit_length()
    flags = 2 << bits if bits <= 27 else MOST_FLAGS if edges <= 1 << 27 else 0
    return TRIPLET_PAIR * edges + flags
