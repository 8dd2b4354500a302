"""One step of Adam on one parameter, in place."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.optim.adam import adam

from alignrec_geo.kernels.backends import choose, implementation

LARGE = 1 << 13
"""torch's fused optimiser gives 65,536 numbers to one block of threads, which leaves most of a GPU idle. With fewer
numbers than these a launch of its own costs a parameter more than that."""


class AdamSettings(NamedTuple):
    """What stays the same from step to step.

    Args:
        beta1: β₁, above 0.
        beta2: β₂, above 0.
        eps: ε.
        decay: weight decay, added to the gradient.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    decay: float = 0.0


def pays(parameter: Tensor) -> bool:
    """Whether a kernel of its own updates a parameter faster than torch's optimiser does."""
    large = parameter.is_cuda and parameter.numel() > LARGE and parameter.dtype == torch.float32
    return large and parameter.is_contiguous() and choose("adam", parameter.device).runs != "torch"


def adam_step(
    parameter: Tensor,
    gradient: Tensor,
    moments: tuple[Tensor, Tensor],
    step: Tensor,
    lr: Tensor,
    skip: Tensor,
    settings: AdamSettings,
) -> None:
    r"""Make one step of `"Adam" <https://arxiv.org/abs/1412.6980>`_.

    .. math::
        m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \quad
        p \leftarrow p - \frac{\eta}{1 - \beta_1^n} \frac{m}{\sqrt{v / (1 - \beta_2^n)} + \epsilon}

    Args:
        parameter: :math:`p`.
        gradient: :math:`g`, of its shape.
        moments: :math:`m` and :math:`v`, of its shape.
        step: :math:`n`, the number of this step, from 1; a scalar, as the following ones.
        lr: :math:`\eta`.
        skip: other than 0 leaves everything as it is.
        settings: the constants.

    Example:
        >>> import torch
        >>> p, zero = torch.ones(2), torch.zeros(())
        >>> adam_step(p, p.clone(), (torch.zeros(2), torch.zeros(2)), zero + 1, zero + 0.5, zero, AdamSettings())
        >>> [round(value, 4) for value in p.tolist()]
        [0.5, 0.5]
    """
    implementation("adam", parameter.device)(parameter, gradient, moments, step, lr, skip, settings)


def update(
    parameter: Tensor,
    gradient: Tensor,
    moments: tuple[Tensor, Tensor],
    step: Tensor,
    lr: Tensor,
    skip: Tensor,
    settings: AdamSettings,
) -> None:
    """Backend ``torch``: its own fused optimiser; every backend has this signature."""
    adam(
        [parameter],
        [gradient],
        [moments[0]],
        [moments[1]],
        [],
        [step - 1.0],
        fused=True,
        found_inf=skip,
        amsgrad=False,
        beta1=settings.beta1,
        beta2=settings.beta2,
        lr=lr,
        weight_decay=settings.decay,
        eps=settings.eps,
        maximize=False,
    )


def reference_update(
    parameter: Tensor,
    gradient: Tensor,
    moments: tuple[Tensor, Tensor],
    step: Tensor,
    lr: Tensor,
    skip: Tensor,
    settings: AdamSettings,
) -> None:
    """Backend ``reference``: the plain formulas."""
    beta1, beta2, eps, decay = settings
    mean, square = moments
    slope = gradient + decay * parameter
    first, second = torch.lerp(mean, slope, 1.0 - beta1), beta2 * square + (1.0 - beta2) * slope * slope
    count = step.double()
    scale = (lr / (1.0 - beta1**count)).to(slope.dtype)
    moved = parameter - scale * first / ((second / (1.0 - beta2**count)).sqrt() + eps)
    for target, value in ((mean, first), (square, second), (parameter, moved)):
        target.copy_(torch.where(skip == 0, value, target))
