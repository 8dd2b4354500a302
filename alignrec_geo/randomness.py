"""One seed, one child generator per purpose; the global generators are never touched."""

import zlib

import numpy as np
import torch


def child_generator(seed: int, purpose: str) -> torch.Generator:
    """Return a CPU generator for ``purpose``; different purposes draw independent streams from one seed.

    Args:
        seed: the run's seed, a whole number of at least 0.
        purpose: what the stream is for (``init``, ``sampling``, ``dropout``…).

    Example:
        >>> a, b = child_generator(0, "init"), child_generator(0, "init")
        >>> bool((torch.rand(3, generator=a) == torch.rand(3, generator=b)).all())
        True
    """
    words = np.random.SeedSequence([seed, zlib.crc32(purpose.encode())]).generate_state(2, dtype=np.uint32)
    return torch.Generator().manual_seed(int(words[0]) << 31 | int(words[1]) >> 1)
