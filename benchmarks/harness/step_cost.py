"""How much arithmetic and memory traffic an operation needs at least, and how long the machine takes for that.

Counted for float32, forward and backward together, as if every operand were read once and every result written once;
what an implementation forms in between (batch×batch matrices, layers, copies) does not count. The limit of an operation
is ``max(FLOPs / GEMM rate, bytes / copy rate)``, the limit of a step the sum of its operations' limits.
"""

from dataclasses import dataclass

from harness.measure import Rates

FLOAT = 4
INDEX = 4
ISSUE_FLOPS, ISSUE_BYTES = 8e9, 0.5e9
"""The round figures of the target for a step at Baby's shape with trainable features."""


@dataclass(frozen=True)
class Gemm:
    """``times`` products ``[m, k] @ [k, n]``."""

    m: int
    k: int
    n: int
    times: float = 1

    @property
    def flops(self) -> float:
        """Multiplications and additions."""
        return 2.0 * self.m * self.k * self.n * self.times


@dataclass(frozen=True)
class Cost:
    """What an operation needs.

    Args:
        name: of the operation.
        gemms: its dense products.
        bytes: compulsory memory traffic.
    """

    name: str
    gemms: tuple[Gemm, ...]
    bytes: float

    @property
    def flops(self) -> float:
        """FLOPs of the dense products."""
        return sum(gemm.flops for gemm in self.gemms)

    def limit(self, rates: Rates) -> float:
        """Seconds on a machine of these rates."""
        arithmetic = sum(gemm.flops / rates.gemm(gemm.m, gemm.k, gemm.n) for gemm in self.gemms)
        return max(arithmetic, self.bytes / rates.copy)


@dataclass(frozen=True)
class StepShape:
    """Sizes a training step depends on.

    Args:
        users: ``U``.
        items: ``I``.
        pairs: training pairs ``E``.
        similar: edges of the item graph.
        width: columns of the content vectors; 0 for the ID branch alone.
        batch: ``B``.
        dim: ``d``.
        layers: on the user-item graph.
        item_layers: on the item graph.
        trainable: whether content vectors are trained.
    """

    users: int
    items: int
    pairs: int
    similar: int = 0
    width: int = 0
    batch: int = 2048
    dim: int = 64
    layers: int = 2
    item_layers: int = 1
    trainable: bool = True

    @property
    def parameters(self) -> int:
        """Trained numbers."""
        tables = (self.users + self.items) * self.dim
        linear = self.width * self.dim + self.dim + self.dim * self.dim + self.dim if self.width else 0
        return tables + linear + (self.items * self.width if self.trainable else 0)


def product(name: str, nonzeros: int, rows: int, columns: int, dim: int, times: int, added: bool = False) -> Cost:
    """``times`` sparse products: matrix (value and column), dense operand, result, and what is added, once each."""
    dense = (rows * (2 if added else 1) + columns) * dim * FLOAT
    return Cost(name, (), times * (nonzeros * (FLOAT + INDEX) + rows * INDEX + dense))


def propagation(users: int, items: int, pairs: int, dim: int, layers: int) -> Cost:
    """Mean of the layers: one product per layer, forward and backward, on ``2 E`` non-zeros."""
    nodes = users + items
    return product("propagation", 2 * pairs, nodes, nodes, dim, times=2 * layers, added=True)


def gathered_rows(rows: int, table: int, dim: int) -> Cost:
    """Rows read and written; backward: a table written, the rows' gradients read and added."""
    return Cost("gather", (), (2 * rows + table + 3 * rows) * dim * FLOAT)


def infonce(batch: int, dim: int, groups: int = 1) -> Cost:
    """Per group three products of ``2 B² d``: logits, gradient of the queries, gradient of the keys."""
    gemms = (Gemm(batch, dim, batch, groups), Gemm(batch, batch, dim, 2 * groups))
    return Cost("infonce", gemms, groups * 4 * batch * dim * FLOAT)


def similarity_gap(batch: int, dim: int, width: int) -> Cost:
    """By the Gram identity: one triangle of ``VᵀV``, ``VᵀH`` and ``V (VᵀH)``, ``HᵀH`` and ``H (HᵀH)``."""
    gram = Gemm(width, batch, width, 0.5) if width <= batch else Gemm(batch, width, batch, 0.5)
    cross = (Gemm(width, batch, dim), Gemm(batch, width, dim))
    own = (Gemm(dim, batch, dim, 0.5), Gemm(batch, dim, dim))
    return Cost("similarity_gap", (gram, *cross, *own), (3 * batch * width + 3 * batch * dim) * FLOAT)


def triplet_loss(batch: int, dim: int) -> Cost:
    """Three rows per triplet, read forward and backward, and their gradients written."""
    return Cost("triplet_loss", (), 9 * batch * dim * FLOAT)


def ranking(users: int, items: int, dim: int, k: int = 50) -> Cost:
    """All scores once, and ``k`` values and items per user written."""
    return Cost("ranking", (Gemm(users, dim, items),), ((users + items) * dim + 2 * users * k) * FLOAT)


def nearest(items: int, width: int, k: int = 10) -> Cost:
    """All cosines once. A triangle would do; merging its two halves costs what it saves, so the whole counts."""
    return Cost("knn", (Gemm(items, width, items),), (items * width + 2 * items * k) * FLOAT)


def adam(parameters: int) -> Cost:
    """Parameter, gradient and two moments read; parameter and moments written."""
    return Cost("adam", (), 7 * parameters * FLOAT)


def alignrec_step(shape: StepShape) -> list[Cost]:
    """Every operation of one training step, forward, backward and update."""
    s = shape
    costs = [
        propagation(s.users, s.items, s.pairs, s.dim, s.layers),
        gathered_rows((3 if not s.width else 6) * s.batch, (s.users + s.items) * (2 if s.width else 1), s.dim),
        triplet_loss(s.batch, s.dim),
        adam(s.parameters),
    ]
    if s.width:
        through = (Gemm(s.items, s.width, s.dim), Gemm(s.dim, s.items, s.width))  # x W', and dW'
        into = (Gemm(s.items, s.dim, s.width),) if s.trainable else ()  # dx
        tables = s.items * s.width * (3 if s.trainable else 2)
        costs += [
            Cost("projection", (*through, *into), (tables + 2 * s.items * s.dim) * FLOAT),
            Cost("gate", (), 8 * s.items * s.dim * FLOAT),  # forward 2 in, 1 out; backward 3 in, 2 out
            product("item graph", s.similar, s.items, s.items, s.dim, times=2 * s.item_layers),
            product("items to users", s.pairs, s.users, s.items, s.dim, times=2),
            infonce(s.batch, s.dim, groups=2),
            similarity_gap(s.batch, s.dim, s.width),
        ]
    return costs


def step_limit(costs: list[Cost], rates: Rates) -> float:
    """Seconds of a step at the machine's rates: its operations one after the other."""
    return sum(cost.limit(rates) for cost in costs)


def issue_limit(costs: list[Cost], rates: Rates) -> float:
    """Seconds for the target's round figures, 8 GFLOP and 0.5 GB, at the rates that these operations reach."""
    gemms = [gemm for cost in costs for gemm in cost.gemms]
    seconds = sum(gemm.flops / rates.gemm(gemm.m, gemm.k, gemm.n) for gemm in gemms)
    return ISSUE_FLOPS * seconds / sum(gemm.flops for gemm in gemms) + ISSUE_BYTES / rates.copy


def as_json(costs: list[Cost], rates: Rates) -> dict[str, dict[str, float]]:
    """Per operation: GFLOP, GB and milliseconds of its limit."""
    return {
        cost.name: {
            "gflop": round(cost.flops / 1e9, 3),
            "gb": round(cost.bytes / 1e9, 4),
            "limit_ms": round(1e3 * cost.limit(rates), 3),
        }
        for cost in costs
    }
