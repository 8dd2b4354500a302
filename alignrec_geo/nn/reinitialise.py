"""New initial values for modules that draw them from torch's global generator."""

from collections.abc import Callable

import torch
from torch import nn

from alignrec_geo.randomness import seeded


def reinitialise(module: nn.Module, make: Callable[[], nn.Module], generator: torch.Generator) -> None:
    """Draw the weights of a module anew: another one is made under ``generator``, and its values are copied.

    A module without weights draws nothing.

    Args:
        module: the module, whose parameters stay the same objects.
        make: makes another one like it.
        generator: the source of randomness.
    """
    if any(True for _ in module.parameters()):
        with seeded(generator):
            drawn = make()
        module.load_state_dict(drawn.state_dict())
