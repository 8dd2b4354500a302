"""Keep freed memory in the process: a large share of a CPU step is page faults of buffers that come and go."""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEEP = 2**31 - 1


def keep_freed_memory(up_to: int = _KEEP) -> bool:
    """Ask glibc to serve large buffers from the heap and not to return freed ones to the system.

    Args:
        up_to: bytes of the largest buffer that is treated so.

    Returns:
        Whether it was done; not on systems without glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and all(
        mallopt(option, value) == 1 for option, value in ((_TRIM_THRESHOLD, _KEEP), (_MMAP_THRESHOLD, up_to))
    )
