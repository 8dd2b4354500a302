"""Content vectors ready for cosines, and users as the mean of what they have."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from alignrec_geo.embeddings import Embeddings
from alignrec_geo.graph.modalities import Modality
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.spmm import spmm


def unit_content(parts: Sequence[Modality], centre: bool) -> Tensor:
    """Return the modalities side by side as unit rows, ``[I, D]``; items without any have a zero row.

    Args:
        parts: the modalities; a row that an item lacks counts as zero and is not part of the mean.
        centre: subtract every modality's mean vector first: raw encoder vectors share a large common direction that
            hides the differences.
    """
    columns = []
    for part in parts:
        mask = part.present[:, None].to(part.x.dtype)
        rows = part.x.masked_fill(~part.present[:, None], 0.0)
        if centre:
            rows = (rows - rows.sum(dim=0) / mask.sum().clamp(min=1)) * mask
        columns.append(rows)
    return F.normalize(torch.cat(columns, dim=1), dim=1)


def content_profiles(history: CSR, content: Tensor) -> Embeddings:
    r"""Return unit profiles of users and the items' content: their dot product is the zero-shot score.

    .. math::
        p_u = \frac{1}{|\mathcal N(u)|} \sum_{i \in \mathcal N(u)} x_i, \qquad \text{score}(u, j) = \cos(p_u, x_j)

    Args:
        history: which items users have in training, ``[U, I]``.
        content: unit rows ``[I, D]``.

    Returns:
        ``users [U, D]``, zero for users without content in their history, and ``items [I, D]``.
    """
    return Embeddings(F.normalize(spmm(history, content), dim=1), content)  # the sum points where the mean does
