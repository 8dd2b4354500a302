"""Initial values from a generator of one's own, as ``torch.nn`` draws them from the global one."""

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from alignrec_geo.distributed.tables import draw, whole_width


def linear(inputs: int, outputs: int, bias: bool = True) -> nn.Linear:
    """Return a linear layer whose parameters are not drawn yet; :func:`init_linear` draws them.

    ``nn.Linear`` by itself draws from the global generator.
    """
    layer: nn.Linear = skip_init(nn.Linear, inputs, outputs, bias=bias)
    return layer


def init_linear(
    layer: nn.Linear,
    generator: torch.Generator,
    weight: Literal["uniform", "xavier_uniform", "xavier_normal"] = "uniform",
    bias: Literal["uniform", "zeros"] = "uniform",
) -> None:
    r"""Draw a linear layer anew.

    Args:
        layer: the layer.
        generator: the source of randomness.
        weight: ``uniform`` is torch's default, :math:`U(\pm 1 / \sqrt{\text{fan-in}})`.
        bias: likewise, or zeros.
    """
    init_xavier(layer.weight, generator, weight)
    if layer.bias is not None:
        if bias == "zeros":
            nn.init.zeros_(layer.bias)
        else:
            bound = whole_width(layer.weight) ** -0.5
            nn.init.uniform_(layer.bias, -bound, bound, generator=generator)


def init_xavier(
    table: Tensor,
    generator: torch.Generator,
    kind: Literal["uniform", "xavier_uniform", "xavier_normal"] = "xavier_uniform",
) -> None:
    """Draw a matrix anew; for ``uniform`` see :func:`init_linear`."""
    fan_out, fan_in = len(table), whole_width(table)
    std = math.sqrt(2.0 / float(fan_in + fan_out))
    if kind == "xavier_normal":
        draw(table, lambda block: nn.init.normal_(block, 0.0, std, generator=generator))
        return
    bound = math.sqrt(3.0) * std if kind == "xavier_uniform" else fan_in**-0.5
    draw(table, lambda block: nn.init.uniform_(block, -bound, bound, generator=generator))
