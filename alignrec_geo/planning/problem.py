"""The sizes that decide what a training run takes."""

from dataclasses import dataclass

from alignrec_geo.errors import InputError

MODELS = ("alignrec", "bpr", "lightgcn")
"""Models whose operations are counted."""


@dataclass(frozen=True)
class Problem:
    """What is trained, on how many ranks.

    Args:
        users: ``U``.
        items: ``I``.
        edges: training pairs ``E``.
        model: one of :data:`MODELS`.
        width: columns of all feature matrices together, 0 without content.
        train_features: whether content vectors are trained.
        dim: ``d``.
        layers: ``L``, on the user-item graph.
        item_layers: on the item graph.
        neighbours: content neighbours per item.
        batch: triplets per step ``B``.
        validated: users that an epoch's validation ranks.
        ranks: ``P``, each with ``d / P`` columns of every table and the whole graph.

    Raises:
        InputError: a number is impossible, or the model's operations are not counted.

    Example:
        >>> Problem(users=100, items=50, edges=1_000, model="lightgcn").steps
        1
    """

    users: int
    items: int
    edges: int
    model: str = "alignrec"
    width: int = 0
    train_features: bool = True
    dim: int = 64
    layers: int = 2
    item_layers: int = 1
    neighbours: int = 10
    batch: int = 2048
    validated: int = 0
    ranks: int = 1

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise InputError(
                f"plan counts the operations of {', '.join(MODELS)} (got '{self.model}'); a model that propagates on "
                "the same graph takes at least what lightgcn takes"
            )
        for name in ("users", "items", "edges", "ranks"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1 (got {getattr(self, name)})")
        if self.width < 0:
            raise InputError(f"width must be at least 0 (got {self.width})")
        if self.edges > self.users * self.items:
            raise InputError(f"{self.users} users and {self.items} items have no {self.edges} different pairs")
        if self.dim % self.ranks:
            raise InputError(
                f"every rank holds dim / ranks columns, so dim must be a multiple of ranks (got dim={self.dim}, "
                f"ranks={self.ranks})"
            )

    @property
    def nodes(self) -> int:
        """``N``, users and items."""
        return self.users + self.items

    @property
    def columns(self) -> int:
        """Columns of a table on one rank, ``d / P``."""
        return self.dim // self.ranks

    @property
    def steps(self) -> int:
        """Steps per epoch."""
        return -(-self.edges // self.batch)

    @property
    def content(self) -> int:
        """Columns of the content vectors that the model reads."""
        return self.width if self.model == "alignrec" else 0
