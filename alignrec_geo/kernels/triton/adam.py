"""Adam on one large parameter: every number is read and written once, by enough programs to keep a GPU busy."""

import math

import triton
import triton.language as tl
from torch import Tensor

from alignrec_geo.kernels.adam import AdamSettings
from alignrec_geo.kernels.triton.launch import on_device_of

BLOCK, WARPS = 2048, 8
"""Numbers and warps per program."""


def update(
    parameter: Tensor,
    gradient: Tensor,
    moments: tuple[Tensor, Tensor],
    step: Tensor,
    lr: Tensor,
    skip: Tensor,
    settings: AdamSettings,
) -> None:
    """Backend ``triton`` of ``adam``; arguments as for :func:`alignrec_geo.kernels.adam.update`, contiguous."""
    count = parameter.numel()
    if not count:
        return
    constants = {"BETA1": settings.beta1, "BETA2": settings.beta2}
    logarithms = {"LOG1": math.log(settings.beta1), "LOG2": math.log(settings.beta2)}
    tables = parameter, gradient.contiguous(), *moments, step, lr, skip
    with on_device_of(parameter):
        move[(triton.cdiv(count, BLOCK),)](
            *tables, count, settings.eps, settings.decay, **constants, **logarithms, BLOCK=BLOCK, num_warps=WARPS
        )


@triton.jit
def move(
    parameter: tl.tensor,
    gradient: tl.tensor,
    mean: tl.tensor,
    square: tl.tensor,
    step: tl.tensor,
    lr: tl.tensor,
    skip: tl.tensor,
    count: tl.tensor,
    eps: tl.tensor,
    decay: tl.tensor,
    BETA1: tl.constexpr,
    BETA2: tl.constexpr,
    LOG1: tl.constexpr,
    LOG2: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """Some numbers of a parameter."""
    if tl.load(skip) == 0.0:
        place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
        inside = place < count
        # 1 - βⁿ loses digits at first: in double, as torch has it
        steps = tl.load(step).to(tl.float64)
        bias1 = (1.0 - tl.exp(steps * LOG1)).to(tl.float32)
        bias2 = tl.sqrt(1.0 - tl.exp(steps * LOG2)).to(tl.float32)
        value = tl.load(parameter + place, mask=inside, other=0.0)
        slope = tl.load(gradient + place, mask=inside, other=0.0) + decay * value
        first = tl.load(mean + place, mask=inside, other=0.0)
        second = tl.load(square + place, mask=inside, other=0.0)
        first = BETA1 * first + (1.0 - BETA1) * slope
        second = BETA2 * second + (1.0 - BETA2) * slope * slope
        value -= tl.load(lr) / bias1 * first / (tl.sqrt(second) / bias2 + eps)
        tl.store(mean + place, first, mask=inside)
        tl.store(square + place, second, mask=inside)
        tl.store(parameter + place, value, mask=inside)
