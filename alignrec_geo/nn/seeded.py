"""Modules that draw from torch's global generator, made to draw from a generator of one's own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def seeded(generator: torch.Generator | None, device: torch.device | None = None) -> Iterator[None]:
    """Let code that draws from the global generators draw a stream that ``generator`` decides.

    PyG's layers (and most layers that people write) draw their weights and their dropout from the global generator.
    Inside this context that generator is seeded by one draw from ``generator``; afterwards it has the state it had
    before.

    Args:
        generator: the source of randomness; ``None`` takes a fixed seed, for values that are drawn again later.
        device: a GPU whose global generator is seeded as well; without one it is the CPU's alone.

    Example:
        >>> def draw():
        ...     with seeded(torch.Generator().manual_seed(1)):
        ...         return torch.rand(3)
        >>> bool((draw() == draw()).all())
        True
    """
    seed = 0 if generator is None else int(torch.randint(2**62, (1,), generator=generator))
    gpus = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        torch.default_generator.manual_seed(seed)
        for gpu in gpus:
            with torch.cuda.device(gpu):
                torch.cuda.manual_seed(seed)
        yield


def redraw(module: nn.Module, make: Callable[[], nn.Module], generator: torch.Generator) -> None:
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
