"""The pairwise losses of a batch of (user, positive item, negative item) triplets."""

import torch.nn.functional as F
from torch import Tensor


def bpr(user: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    r"""Bayesian personalised ranking (`Rendle et al. 2009 <https://arxiv.org/abs/1205.2618>`_).

    .. math::
        -\frac1B \sum_b \log \sigma(u_b^\top i^+_b - u_b^\top i^-_b)

    Args:
        user: ``[B, D]``.
        positive: ``[B, D]``.
        negative: ``[B, D]``.

    Returns:
        A scalar.
    """
    margin = (user * (positive - negative)).sum(dim=1)  # [B]
    return -F.logsigmoid(margin).mean()


def user_item_alignment(user: Tensor, positive: Tensor) -> Tensor:
    r"""AlignRec's user-item alignment, :math:`1 - \frac1B \sum_b \cos(u_b, i^+_b)`.

    Args:
        user: ``[B, D]``.
        positive: ``[B, D]``.

    Returns:
        A scalar in [0, 2].
    """
    return 1.0 - F.cosine_similarity(user, positive, dim=1).mean()


def l2_penalty(*rows: Tensor, batch_size: int) -> Tensor:
    r"""Half the squared norms of the gathered rows per configured batch, :math:`\frac{1}{2 B_0} \sum \|X\|_F^2`.

    Args:
        rows: matrices of any shape.
        batch_size: ``B₀``; also for the smaller last batch of an epoch.

    Returns:
        A scalar.
    """
    total = rows[0].square().sum()
    for matrix in rows[1:]:
        total = total + matrix.square().sum()
    return total / (2.0 * batch_size)
