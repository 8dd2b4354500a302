"""Losses of mask-then-predict; only masked positions go through the heads."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

Head = Callable[[Tensor], Tensor]


def masked_cross_entropy(states: Tensor, masked: Tensor, targets: Tensor, head: Head) -> Tensor:
    r"""Return the mean of :math:`-\log p(\text{target} \mid \text{state})` over masked positions.

    The head is applied to the masked positions only: a head over 64,010 words is the largest product of a step.

    Args:
        states: last hidden states, ``[n, t, D]``.
        masked: positions to predict, ``[n, t]`` bool.
        targets: word ids or visual codes, ``[n, t]`` int64.
        head: from ``[m, D]`` to logits ``[m, V]``.

    Returns:
        A scalar; 0 if nothing is masked.

    Example:
        >>> import torch
        >>> states, masked = torch.zeros(1, 2, 4), torch.tensor([[True, False]])
        >>> head = lambda rows: torch.zeros(len(rows), 8)
        >>> round(float(masked_cross_entropy(states, masked, torch.tensor([[5, 0]]), head)), 4)  # ln 8
        2.0794
    """
    logits = head(states[masked])  # [m, V]
    return F.cross_entropy(logits.float(), targets[masked], reduction="sum") / max(len(logits), 1)


def masked_regression(states: Tensor, masked: Tensor, targets: Tensor, head: Head) -> Tensor:
    r"""Return the mean squared error of predicted vectors over masked positions.

    Args:
        states: last hidden states, ``[n, t, D]``.
        masked: positions to predict, ``[n, t]`` bool.
        targets: ``[n, t, C]``, for example the pixels of
            :func:`~alignrec_geo.content.tokens.visual_codes.pixel_targets`.
        head: from ``[m, D]`` to ``[m, C]``.

    Returns:
        A scalar; 0 if nothing is masked.

    Example:
        >>> import torch
        >>> states, masked = torch.zeros(1, 2, 4), torch.tensor([[True, False]])
        >>> float(masked_regression(states, masked, torch.full((1, 2, 4), 3.0), lambda rows: rows))
        9.0
    """
    predicted = head(states[masked]).float()  # [m, C]
    return F.mse_loss(predicted, targets[masked].float(), reduction="sum") / max(predicted.numel(), 1)
