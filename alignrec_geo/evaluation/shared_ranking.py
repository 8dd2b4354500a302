"""One ranking by many ranks: each ranks all items for some of the users."""

import torch
from torch import Tensor

from alignrec_geo.distributed import Group
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.excluded import ExcludedPairs
from alignrec_geo.kernels.topk import Ranking, blocked_top_k

BLOCK = 8192
"""Users of a block that is handed on."""


def shared_ranking(group: Group, tables: Embeddings, rows: Tensor, k: int, exclude: CSR) -> Ranking:
    """Rank all items for some users, as :func:`~alignrec_geo.kernels.topk.blocked_top_k` does.

    Every rank gets the whole vectors of its share of the users and of all items, so that scores are the same numbers as
    those of one process. For ``n`` users and ``I`` items that moves ``(n / P + I) d`` numbers to each rank; adding up
    partial scores, the other way to rank columns that lie apart, would move ``n I``.

    Args:
        group: the ranks.
        tables: this rank's columns of both tables.
        rows: which users, ``[n]`` int64, on the tables' device.
        k: how many items per user.
        exclude: ``[U, I]``, pairs that are left out, on the CPU.

    Yields:
        What ``blocked_top_k`` yields, of all users, on every rank.
    """
    width = group.size * tables.users.shape[1]
    share = group.share(len(rows))
    users = group.rows_of(tables.users.detach()[rows], width)
    items = group.all_columns(tables.items.detach(), width)
    excluded = ExcludedPairs.of(exclude, rows[share.slice].cpu())
    blocks = list(blocked_top_k(users, items, torch.arange(share.size, device=rows.device), k, excluded))
    depth = min(k, len(items))
    scores = torch.cat([users.new_empty(0, depth), *(block[1] for block in blocks)])
    columns = torch.cat([rows.new_empty(0, depth), *(block[2] for block in blocks)])
    of_all = group.all_rows(scores, len(rows)), group.all_rows(columns, len(rows))
    yield from zip(rows.split(BLOCK), *(part.split(BLOCK) for part in of_all), strict=True)
