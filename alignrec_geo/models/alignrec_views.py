"""What AlignRec makes before it fuses, and the tables that a fusion makes of it."""

from typing import NamedTuple

from torch import Tensor

from alignrec_geo.embeddings import Embeddings
from alignrec_geo.models.base import Batch
from alignrec_geo.models.contributions import Branches
from alignrec_geo.nn.batch_rows import BatchRows
from alignrec_geo.nn.by_rows import by_rows
from alignrec_geo.nn.fusion import Fuser
from alignrec_geo.nn.whole_rows import Wanted


class AlignRecViews(NamedTuple):
    """The two branches on all nodes."""

    identity: Tensor
    """``c``, ``[U + I, d]``, users first."""
    content_users: Tensor | None
    """``m_U``, ``[U, d]``; ``None`` without features."""
    content_items: Tensor | None
    """``m_I``, ``[I, d]``; ``None`` without features."""

    def fused(self, n_users: int, fusion: Fuser | None) -> Embeddings:
        """Return ``h``, ``[U, d]`` and ``[I, d]``; without content the identity alone.

        Args:
            n_users: ``U``.
            fusion: of ``c`` and ``m``; ``None`` without features.
        """
        users, items = self.identity[:n_users], self.identity[n_users:]
        if fusion is None or self.content_users is None or self.content_items is None:
            return Embeddings(users, items)
        pairs = (users, self.content_users), (items, self.content_items)
        return Embeddings(*(by_rows(fusion, *rows) for rows in pairs))

    def branches(self, n_users: int, fusion: Fuser | None) -> Branches | None:
        """Return ``c`` and ``m``, each as the fusion takes it; ``None`` where the fusion does not say.

        Args:
            n_users: ``U``.
            fusion: as in :meth:`fused`.
        """
        users, items = self.identity[:n_users], self.identity[n_users:]
        if fusion is None or self.content_users is None or self.content_items is None:
            return Branches(Embeddings(users, items))
        of_users, of_items = fusion.split(users, self.content_users), fusion.split(items, self.content_items)
        if of_users is None or of_items is None:
            return None
        return Branches(*(Embeddings(*pair) for pair in zip(of_users, of_items, strict=True)))

    def wanted(self, batch: Batch, rows: BatchRows) -> list[Wanted]:
        """Return the rows of both branches that the loss of a batch looks at; ``rows`` are their numbers."""
        wanted = [Wanted(self.identity, rows.nodes, rows.node_order)]
        if self.content_users is not None and self.content_items is not None:
            wanted.append(Wanted(self.content_users, batch.users, rows.user_order))
            wanted.append(Wanted(self.content_items, rows.items, rows.item_order))
        return wanted
