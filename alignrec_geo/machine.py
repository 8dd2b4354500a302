"""What a run was made by and on, and how much memory it took: stored with its results."""

import os
import platform
import resource
import shlex
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

CPU_INFO, STATUS = Path("/proc/cpuinfo"), Path("/proc/self/status")
VERBS = tuple(str(Path("alignrec_geo", *file)) for file in (("__main__.py",), ("cli", "app.py")))
"""What ``python -m alignrec_geo`` and ``python -m alignrec_geo.cli.app`` are called as."""
PACKAGES = ("alignrec-geo", "torch", "torch-geometric", "numpy")


def machine(threads: int) -> dict[str, Any]:
    """Processor, number of processors, threads of every run, Python, versions and today's date.

    Example:
        >>> sorted(machine(threads=1))
        ['cpu', 'cpus', 'date', 'python', 'threads', 'versions']
    """
    lines = CPU_INFO.read_text().splitlines() if CPU_INFO.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.processor(),
        "cpus": os.cpu_count(),
        "threads": threads,
        "python": platform.python_version(),
        "versions": {name: installed(name) for name in PACKAGES},
        "date": datetime.now(UTC).date().isoformat(),
    }


def command() -> str | None:
    """The command line of this process, where it is one of this program's verbs; ``None`` in other programs.

    Example:
        >>> command() is None  # this test is no verb
        True
    """
    name = Path(sys.argv[0]).name if sys.argv else ""
    ours = name in ("alignrec-geo", "cli.py") or bool(sys.argv and sys.argv[0].endswith(VERBS))
    return shlex.join(["alignrec-geo", *sys.argv[1:]]) if ours else None


def installed(package: str) -> str:
    """The version of a package, also where it is not there, or runs from a checkout.

    Example:
        >>> installed("no-such-package")
        'not installed'
    """
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


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
