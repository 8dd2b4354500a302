"""One seed, one child generator per purpose; the global generators are left as they were."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from alignrec_geo.errors import InputError


def child_generator(seed: int, purpose: str) -> torch.Generator:
    """Return a CPU generator for ``purpose``; different purposes draw independent streams from one seed.

    Args:
        seed: the run's seed, a whole number of at least 0.
        purpose: what the stream is for (``init``, ``sampling``, ``dropout``…).

    Raises:
        InputError: the seed is no such number.

    Example:
        >>> a, b = child_generator(0, "init"), child_generator(0, "init")
        >>> bool((torch.rand(3, generator=a) == torch.rand(3, generator=b)).all())
        True
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise InputError(f"a seed must be a whole number of at least 0 (got {seed!r:.80})")
    words = np.random.SeedSequence([int(seed), zlib.crc32(purpose.encode())]).generate_state(2, dtype=np.uint32)
    return torch.Generator().manual_seed(int(words[0]) << 31 | int(words[1]) >> 1)


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
