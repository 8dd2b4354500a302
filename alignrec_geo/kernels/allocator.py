"""Keep freed memory in the process: a large share of a CPU step is page faults of buffers that come and go."""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEEP = 2**31 - 1


def keep_freed_memory() -> bool:
    """Ask glibc to serve large buffers from the heap and not to return freed ones to the system.

    Returns:
        Whether it was done; not on systems without glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and all(mallopt(option, _KEEP) == 1 for option in (_TRIM_THRESHOLD, _MMAP_THRESHOLD))
