"""What a comparison ran on: stored with its results."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

CPU_INFO = Path("/proc/cpuinfo")
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
