"""What the device is and what it can do."""

import subprocess
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from gpu_sections.clock import measure_rates
from gpu_sections.setting import Emit, Setting, Turn

PACKAGES = ("triton", "polars", "pydantic", "transformers", "scipy")


def machine_facts(setting: Setting, turn: Turn, emit: Emit) -> None:
    """Name, memory, driver, versions, and the rates that every limit is taken at."""
    turn()
    rates = measure_rates(setting.device, setting.quick)
    emit({"what": "device", **device_facts(setting.device), **rates.as_json(), "versions": versions()})


def device_facts(device: str) -> dict[str, Any]:
    """Of a GPU: name, memory, capability, driver; of a CPU its kind alone."""
    if torch.device(device).type != "cuda":
        return {"name": "cpu"}
    about = torch.cuda.get_device_properties(torch.device(device))
    return {
        "name": about.name,
        "memory_gb": about.total_memory / 1e9,
        "multiprocessors": about.multi_processor_count,
        "capability": f"{about.major}.{about.minor}",
        "driver": _driver(),
        "cuda": torch.version.cuda,
    }


def versions() -> dict[str, str]:
    """Versions of packages that matter on a GPU, of those that are installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _driver() -> str:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.splitlines()[0].strip()
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return "unknown"
