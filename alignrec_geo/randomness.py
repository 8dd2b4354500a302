"""One seed, one child generator per purpose; the global generators are never touched."""

import zlib

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
