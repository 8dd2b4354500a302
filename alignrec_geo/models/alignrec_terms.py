"""The loss terms of AlignRec, from the rows of a batch."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from alignrec_geo.kernels.triplet_loss import triplet_loss
from alignrec_geo.models.base import Batch
from alignrec_geo.nn.batch_rows import BatchRows
from alignrec_geo.nn.loss_list import loss_terms
from alignrec_geo.nn.views import BatchViews, ContentViews, Rows

if TYPE_CHECKING:
    from alignrec_geo.models.alignrec import AlignRec


def batch_terms(model: "AlignRec", batch: Batch, rows: BatchRows, tables: Sequence[Tensor]) -> dict[str, Tensor]:
    """Return the weighted terms of a batch by name.

    Args:
        model: whose fusion, losses and anchor are used.
        batch: the triplets.
        rows: the numbers of its rows.
        tables: the rows that :meth:`~alignrec_geo.models.alignrec_views.AlignRecViews.wanted` names, whole: nodes,
            ``[3 B, d]``, and with features content of users, ``[B, d]``, and of items, ``[2 B, d]``.
    """
    nodes, *content_rows = tables
    fused = identity = Rows(*nodes.chunk(3))
    content: ContentViews | None = None
    if content_rows:
        sides = Rows(content_rows[0], *content_rows[1].chunk(2))
        fused = Rows(*(model.fusion(c, m) for c, m in zip(identity, sides, strict=True)))
        content = ContentViews(sides, rows.users, rows.positives, model._anchor_rows)
    pair = triplet_loss(*fused, batch.nominal_size)
    return loss_terms(model.losses, BatchViews(identity, fused, pair, content), batch)
