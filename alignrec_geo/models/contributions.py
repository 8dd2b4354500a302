"""What a model says about where its scores come from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.nn.fusion import Fuser
from alignrec_geo.nn.paths import paths_to

SOURCES = ("own identity", "other users' identities", "items' identities", "content", "bias")
"""Where the numbers of a user's vector begin: in the user's own row, in rows of other users, in rows of items, in what
content gives, or in a bias that is the same for everybody."""
OWN, USERS, ITEMS, CONTENT, BIAS = range(len(SOURCES))


class Branches(NamedTuple):
    """Both tables as sums: identity + content + what is neither (a bias)."""

    identity: Embeddings
    """``[U, D]`` and ``[I, D]``."""
    content: Embeddings | None = None
    """``[U, D]`` and ``[I, D]``; ``None`` where content takes no part."""


@dataclass(frozen=True)
class UserPaths:
    """A user's vector, cut up exactly.

    Args:
        items: the past items that bring a part, ``[C]`` int64.
        pieces: ``[1 + C, S, D]``: what comes over no past item, then what each of them brings, by :data:`SOURCES`.
        similar_users: ``[S, D]``, what comes over other users directly; ``None`` in models without such edges.
    """

    items: Tensor
    pieces: Tensor
    similar_users: Tensor | None = None

    @classmethod
    def of(cls, source: int, row: Tensor) -> "UserPaths":
        """A vector ``[D]`` that no past item brings anything to."""
        pieces = row.new_zeros(1, len(SOURCES), len(row))
        pieces[0, source] = row
        return cls(torch.zeros(0, dtype=torch.long, device=row.device), pieces)

    @classmethod
    def over_items(cls, source: int, items: Tensor, rows: Tensor) -> "UserPaths":
        """A vector that past items ``[C]`` bring, each its row of ``[C, D]``."""
        pieces = rows.new_zeros(1 + len(items), len(SOURCES), rows.shape[1])
        pieces[1:, source] = rows
        return cls(items, pieces)

    @classmethod
    def propagated(
        cls, graph: CSR, users: Tensor, items: Tensor, user: int, layers: int, source: int = ITEMS
    ) -> "UserPaths":
        """A user's row of the mean propagation of ``[users; items]``; see :func:`~alignrec_geo.nn.paths.paths_to`.

        Args:
            graph: on all nodes, users first, ``[U + I, U + I]``.
            users: ``[U, D]``.
            items: ``[I, D]``.
            user: whose row.
            layers: ``L``.
            source: what the items' rows count as.
        """
        found = paths_to(graph, node_sources(users, items, user, source), user, layers)
        return cls(found.neighbours - len(users), found.pieces)

    def map(self, linear: Callable[[Tensor], Tensor]) -> "UserPaths":
        """Apply a map without a bias to every piece; it takes and returns ``[n, D]``."""
        mapped = linear(self.pieces.flatten(0, 1)).view(*self.pieces.shape[:2], -1)
        similar = None if self.similar_users is None else linear(self.similar_users)
        return replace(self, pieces=mapped, similar_users=similar)

    def __add__(self, other: "UserPaths") -> "UserPaths":
        """The sum of both vectors, with the pieces of both."""
        items, place = torch.cat([self.items, other.items]).unique(return_inverse=True)
        pieces = self.pieces.new_zeros(1 + len(items), *self.pieces.shape[1:])
        places = place.split([len(self.items), len(other.items)])
        for part, rows in zip((self, other), places, strict=True):
            pieces[0] += part.pieces[0]
            pieces.index_add_(0, rows + 1, part.pieces[1:])
        given = [part.similar_users for part in (self, other) if part.similar_users is not None]
        return UserPaths(items, pieces, torch.stack(given).sum(dim=0) if given else None)


def node_sources(users: Tensor, items: Tensor, user: int, source: int) -> Tensor:
    """Return the rows of all nodes, users first, each at its place among :data:`SOURCES`, ``[U + I, S, D]``.

    Args:
        users: ``[U, D]``.
        items: ``[I, D]``.
        user: whose own row stands apart from the other users'.
        source: what the items' rows count as.
    """
    n_users = len(users)
    sources = users.new_zeros(n_users + len(items), len(SOURCES), users.shape[1])
    sources[:n_users, USERS] = users
    sources[user, OWN], sources[user, USERS] = users[user], 0.0
    sources[n_users:, source] = items
    return sources


def fused_paths(fusion: Fuser, identity: UserPaths, content: UserPaths) -> UserPaths:
    """The paths of a fused vector from those of its two branches, for a fusion that is linear but for a bias."""
    blank = identity.pieces.new_zeros(1, identity.pieces.shape[2])
    bias = fusion(blank, blank)
    of_identity = identity.map(lambda rows: fusion(rows, torch.zeros_like(rows)) - bias)
    of_content = content.map(lambda rows: fusion(torch.zeros_like(rows), rows) - bias)
    return of_identity + of_content + UserPaths.of(BIAS, bias[0])


class NodeInput(NamedTuple):
    """Rows of nodes that a model's tables are made of, for derivatives where nothing is known exactly."""

    name: str
    """What :meth:`Explained.tables_of` knows them by."""
    rows: Tensor
    """``[U, …]``, ``[I, …]`` or ``[U + I, …]``, users first."""
    of: Literal["users", "items", "both"]
    """Whose they are."""
    content: bool = False
    """Whether they are made of content; else they are identities."""


class Explained(nn.Module):
    """The optional part of a model's contract that ``explain`` asks for. Every method has an answer for any model.

    :meth:`branches` is exact for every model that adds two branches up, or puts them side by side; :meth:`user_paths`
    for every model whose propagation is linear. Where they return ``None``, derivatives with respect to
    :meth:`node_inputs` take their place, and the explanation says so.
    """

    def branches(self) -> Branches | None:
        """Both tables as sums of an identity and a content branch; ``None`` where the model does not add them up."""
        return None

    def user_paths(self, user: int) -> UserPaths | None:
        """A user's vector cut up by past items; ``None`` unless that is exact.

        Args:
            user: row of the user.
        """
        return None

    def node_inputs(self) -> list[NodeInput]:
        """The rows that the tables are made of; for exactness to first order the later they are taken, the better.

        Without an answer of the model's own: ``user_embedding`` and ``item_embedding``, or else the tables with a row
        per user, item or node that are parameters of the model itself.

        Raises:
            InputError: a table might be of users or of items, as there are as many of both.
        """
        own = {name: table.detach() for name, table in self.named_parameters(recurse=False) if table.dim() > 1}
        if "user_embedding" in own and "item_embedding" in own:
            return [
                NodeInput("user_embedding", own["user_embedding"], "users"),
                NodeInput("item_embedding", own["item_embedding"], "items"),
            ]
        users, items = (len(table) for table in self())
        kinds: dict[int, Literal["users", "items", "both"]] = {users: "users", items: "items", users + items: "both"}
        if users == items and any(len(table) == users for table in own.values()):
            raise InputError(
                f"{type(self).__name__} has tables that might be of users or of items, as there are {users} of both; "
                "let its node_inputs() say which are which"
            )
        return [NodeInput(name, table, kinds[len(table)]) for name, table in own.items() if len(table) in kinds]

    def tables_of(self, rows: Mapping[str, Tensor]) -> Branches | Embeddings:
        """The tables that other rows in place of :meth:`node_inputs` make, as :meth:`branches` if there are any.

        Args:
            rows: by the names of :meth:`node_inputs`, which are those of parameters unless the model says otherwise.
        """
        made: Branches | Embeddings = functional_call(
            _Tables(self), {f"model.{name}": value for name, value in rows.items()}, ()
        )
        return made


class _Tables(nn.Module):
    """What a model makes of its parameters, as a module that can be called with others."""

    def __init__(self, model: Explained) -> None:
        super().__init__()
        self.model = model

    def forward(self) -> Branches | Embeddings:
        return self.model.branches() or self.model()
