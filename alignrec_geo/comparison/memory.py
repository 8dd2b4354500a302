"""How much memory this process took at its highest."""

import resource
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_memory_mb() -> float:
    """Megabytes (10⁶ bytes) of this process's resident set at its highest.

    On Linux ``VmHWM``: ``ru_maxrss`` would also count what the parent held when it started this process.

    Example:
        >>> peak_memory_mb() > 1
        True
    """
    if STATUS.exists():
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
