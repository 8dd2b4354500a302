"""InfoNCE with in-batch negatives; on a CPU without a stored batch×batch matrix."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from alignrec_geo.kernels.backends import choose, implementation
from alignrec_geo.kernels.fixed_shapes import fixed_shapes
from alignrec_geo.kernels.opaque import opaque
from alignrec_geo.kernels.unit_rows import unit_rows

TILE = 512
"""Rows of the batch×batch matrix that exist at a time: 4 MB at a batch of 2048, so that they stay in the cache."""

MOST_LOGITS = 2**28
"""Numbers of the batch×batch matrices, 1 GB, up to which a GPU holds them whole."""

_LARGEST_EXPONENT = 60.0
"""Above it, ``exp(1 / temperature)`` is not left to float32 and the logits are shifted first."""


@opaque
def infonce(
    query: Tensor,
    key: Tensor,
    temperature: float = 0.2,
    ids: Tensor | None = None,
    weight: Tensor | None = None,
) -> Tensor:
    r"""Return ``-mean log softmax(q̂ k̂ᵀ / τ)`` at the diagonal, rows L2-normalised.

    .. math::
        \mathcal L = -\frac1B \sum_b \log
        \frac{\exp(\hat q_b^\top \hat k_b / \tau)}{\sum_{b'} \exp(\hat q_b^\top \hat k_{b'} / \tau)}

    Every row's key is its positive, all other keys of the batch are negatives. One direction: queries against keys.
    On a CPU the batch×batch matrix exists in tiles only. Several losses can be computed in one call. Under mixed
    precision, too, it is computed in float32: a softmax over a batch of similar keys is lost in bfloat16.

    Args:
        query: ``[B, D]``, or ``[G, B, D]`` for ``G`` losses.
        key: the same shape.
        temperature: τ.
        ids: ``[B]`` or ``[G, B]`` int64; keys with the same id as the query (other than its own) are left out. Without
            them a user or item that occurs twice in the batch is a negative of itself.
        weight: ``[B]`` int64, for one group without ``ids``: row ``b`` stands for ``weight[b]`` equal rows (see
            :func:`alignrec_geo.kernels.unique.unique_with_counts`). The value is that of the repeated rows.

    Returns:
        A scalar, or ``[G]``; 0 for an empty batch.

    Example:
        >>> import torch
        >>> round(float(infonce(torch.eye(2), torch.eye(2), temperature=1.0)), 4)
        0.3133
    """
    if weight is not None and (query.dim() == 3 or ids is not None):
        raise ValueError("weight takes one group and no ids")
    if weight is not None and choose("infonce", query.device).runs == "reference":
        query, key = (rows.repeat_interleave(weight, dim=0) for rows in (query, key))
        weight = None
    grouped = query.dim() == 3
    queries, keys = (query, key) if grouped else (query[None], key[None])
    labels = ids if ids is None or grouped else ids[None]
    with torch.autocast(query.device.type, enabled=False):
        unit = _unit(_full(queries)), _unit(_full(keys))
        losses: Tensor = _InfoNCE.apply(*unit, temperature, labels, weight)  # type: ignore[no-untyped-call]
    return losses if grouped else losses[0]


def _unit(rows: Tensor) -> Tensor:
    """Rows of unit length; on a GPU by one kernel forward and one backward."""
    if fixed_shapes(rows.device):
        return unit_rows(rows.flatten(0, 1)).view(rows.shape)
    return F.normalize(rows, dim=2)


def _full(rows: Tensor) -> Tensor:
    """Rows in at least float32."""
    return rows.float() if rows.dtype in (torch.bfloat16, torch.float16) else rows


def reference_infonce(query: Tensor, key: Tensor, temperature: float = 0.2, ids: Tensor | None = None) -> Tensor:
    """The plain formula of :func:`infonce` for one group, with the whole batch×batch matrix."""
    logits = F.normalize(query, dim=1) @ F.normalize(key, dim=1).T / temperature  # [B, B]
    own = torch.arange(len(logits), device=logits.device)
    if ids is not None:
        repeated = (ids[:, None] == ids[None, :]) & (own[:, None] != own[None, :])
        logits = logits.masked_fill(repeated, -torch.inf)
    return F.cross_entropy(logits, own)


def loss_and_gradients(
    query: Tensor, key: Tensor, temperature: float, ids: Tensor | None, weight: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Backend ``torch``: losses and their gradients in one pass over row tiles.

    The gradient of a scalar only needs scaling later, so nothing is recomputed in the backward. As the rows have unit
    length, ``exp`` needs no maximum, and the softmax denominators divide ``[tile, D]`` matrices instead of the
    tile. Every backend of ``infonce`` has this signature; ``reference`` alone does not know ``weight``.

    Args:
        query: ``[G, B, D]``, unit rows.
        key: ``[G, B, D]``, unit rows.
        temperature: τ.
        ids: ``[G, B]`` or ``None``.
        weight: ``[B]`` or ``None``, how many rows each row stands for.

    Returns:
        Losses ``[G]`` and the gradients of their sum, ``[G, B, D]`` each.
    """
    groups, size, _ = query.shape
    losses = query.new_zeros(groups)
    query_grad, key_grad = torch.empty_like(query), torch.zeros_like(key)
    shift = 1.0 / temperature if 1.0 / temperature > _LARGEST_EXPONENT else 0.0
    tile = query.new_empty(min(TILE, size), size)
    count = query.new_ones(size) if weight is None else weight.to(query.dtype)  # [B]
    batch = count.sum().clamp(min=1.0) if fixed_shapes(query.device) else max(float(count.sum()), 1.0)
    for group in range(groups):
        q, k = query[group] / temperature, key[group]  # [B, D]
        counted_k = k if weight is None else k * count[:, None]
        diagonal = torch.linalg.vecdot(q, k)  # [B]
        for start in range(0, size, TILE):
            rows = slice(start, min(start + TILE, size))
            similarity = torch.mm(q[rows], k.T, out=tile[: rows.stop - start])  # [tile, B]
            if shift:
                similarity.sub_(shift)
            similarity.exp_()
            if ids is not None:
                repeated = ids[group, rows, None] == ids[group, None, :]
                repeated.diagonal(start).fill_(False)
                similarity.masked_fill_(repeated, 0.0)
            total = torch.mv(similarity, count)  # [tile]
            losses[group] += torch.dot(total.log() + shift - diagonal[rows], count[rows])
            query_grad[group, rows] = torch.mm(similarity, counted_k).div_(total[:, None])
            key_grad[group].addmm_(similarity.T, q[rows] * (count[rows] / total)[:, None])
        query_grad[group].sub_(k).mul_((count / (temperature * batch))[:, None])
        key_grad[group].sub_(q).mul_((count / batch)[:, None])
    return losses / batch, query_grad, key_grad


def dense_loss_and_gradients(
    query: Tensor, key: Tensor, temperature: float, ids: Tensor | None, weight: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Backend ``dense``: the whole batch×batch matrix at once, for GPUs, where three large products are fastest.

    Above :data:`MOST_LOGITS` numbers it takes the tiles of ``torch``. Arguments and results are those of
    :func:`loss_and_gradients`; rows with the weight 0 have no part.
    """
    groups, size, _ = query.shape
    if groups * size * size > MOST_LOGITS:
        return loss_and_gradients(query, key, temperature, ids, weight)
    over = 1.0 / temperature
    logits = torch.baddbmm(query.new_empty(()), query, key.mT, beta=0.0, alpha=over)  # [G, B, B]
    diagonal = logits.diagonal(dim1=1, dim2=2).clone()
    if ids is not None:
        repeated = ids[:, :, None] == ids[:, None, :]
        repeated.diagonal(dim1=1, dim2=2).fill_(False)
        logits.masked_fill_(repeated, -torch.inf)
    count = query.new_ones(size) if weight is None else weight.to(query.dtype)  # [B]
    if weight is not None:
        logits.add_(count.log())  # a key that counts n times is n equal keys
    # the least finite number: where no key counts, all shares are 0 and not NaN
    normaliser = torch.logsumexp(logits, dim=2).clamp(min=torch.finfo(logits.dtype).min)  # [G, B]
    part = (count / count.sum().clamp(min=1.0))[:, None]  # [B, 1]
    shares = logits.sub_(normaliser[:, :, None]).exp_().mul_(part)
    losses = ((normaliser - diagonal) * part[:, 0]).sum(dim=1)
    query_grad = torch.baddbmm(part * key, shares, key, beta=-over, alpha=over)
    key_grad = torch.baddbmm(part * query, shares.mT, query, beta=-over, alpha=over)
    return losses, query_grad, key_grad


def reference_loss_and_gradients(
    query: Tensor, key: Tensor, temperature: float, ids: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Backend ``reference``: the plain formula and automatic differentiation."""
    with torch.enable_grad():
        q, k = query.detach().requires_grad_(), key.detach().requires_grad_()
        labels = [None] * len(q) if ids is None else list(ids)
        groups = zip(q, k, labels, strict=True)
        losses = torch.stack([_plain(a, b, temperature, label) for a, b, label in groups])
        query_grad, key_grad = torch.autograd.grad(losses.sum(), (q, k))
    return losses.detach(), query_grad, key_grad


def _plain(query: Tensor, key: Tensor, temperature: float, ids: Tensor | None) -> Tensor:
    own = torch.arange(len(query), device=query.device)
    logits = query @ key.T / temperature
    if ids is not None:
        logits = logits.masked_fill((ids[:, None] == ids) & (own[:, None] != own), -torch.inf)
    return F.cross_entropy(logits, own)


class _InfoNCE(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, temperature: float, ids: Tensor | None, weight: Tensor | None
    ) -> Tensor:
        run = implementation("infonce", query.device)
        losses: Tensor
        losses, query_grad, key_grad = run(query, key, temperature, ids, *(() if weight is None else (weight,)))
        ctx.save_for_backward(query_grad, key_grad)
        return losses

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        query_grad, key_grad = ctx.saved_tensors
        scale = grad[:, None, None]
        return query_grad * scale, key_grad * scale, None, None, None
