"""What a batch's rows are, and everything about them that no embedding is needed for."""

from typing import NamedTuple

import torch
from torch import Tensor

from alignrec_geo.kernels.branch import Branch
from alignrec_geo.kernels.gather import Order, row_order
from alignrec_geo.kernels.unique import Unique, unique_with_counts
from alignrec_geo.nn.views import Triplets


class BatchRows(NamedTuple):
    """The rows of a batch among the users, the items, and all nodes, users first."""

    items: Tensor
    """Positives, then negatives, ``[2 B]`` int64."""
    nodes: Tensor
    """Users, then ``items`` as nodes, ``[3 B]`` int64."""
    users: Unique
    """The distinct users."""
    positives: Unique
    """The distinct positives; of those that count."""
    user_order: Order | None
    """Of the users; orders are ``None`` where no backward needs them."""
    item_order: Order | None
    """Of ``items``."""
    node_order: Order | None
    """Of ``nodes``."""

    @classmethod
    def of(cls, batch: Triplets, n_users: int, n_items: int, counted: Tensor | None = None) -> "BatchRows":
        """Return the rows of a batch.

        Args:
            batch: the triplets.
            n_users: ``U``.
            n_items: ``I``.
            counted: ``[I]`` bool, which items count among the distinct positives; ``None`` for all.

        Example:
            >>> from alignrec_geo.models import Batch
            >>> batch = Batch(torch.tensor([1, 0]), torch.tensor([2, 3]), torch.tensor([0, 0]), 2)
            >>> rows = BatchRows.of(batch, n_users=5, n_items=4)
            >>> rows.items.tolist(), rows.nodes.tolist()
            ([2, 3, 0, 0], [1, 0, 7, 8, 5, 5])
        """
        items = torch.cat([batch.positives, batch.negatives])
        nodes = torch.cat([batch.users, items + n_users])
        counts = None if counted is None else counted[batch.positives]
        distinct = unique_with_counts(batch.users), unique_with_counts(batch.positives, counts)
        by_user, by_item = row_order(batch.users, n_users), row_order(items, n_items)
        by_node = None if by_user is None or by_item is None else by_user.then(by_item, n_users)
        return cls(items, nodes, *distinct, by_user, by_item, by_node)

    def join(self, branch: Branch) -> None:
        """Let what follows wait for the branch that these were made in."""
        orders = [order for order in (self.user_order, self.item_order, self.node_order) if order is not None]
        branch.join(self.items, self.nodes, *self.users, *self.positives, *(each for order in orders for each in order))
