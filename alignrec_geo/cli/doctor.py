"""``alignrec-geo doctor``: what this machine has and what will run on it."""

import os
import platform
from importlib.util import find_spec

from alignrec_geo.cli.output import JsonFlag, print_json, print_table

PACKAGES = ("alignrec-geo", "torch", "torch-geometric", "numpy", "polars", "pyarrow", "safetensors", "transformers")


def doctor(as_json: JsonFlag = False) -> None:
    """Print versions, threads, BLAS, GPU and which implementation of each operation runs.

    Example: alignrec-geo doctor --json
    """
    import torch

    from alignrec_geo.device import choose_device, gpus
    from alignrec_geo.files import cache_folder
    from alignrec_geo.kernels.backends import NEEDS, TABLE, choose
    from alignrec_geo.machine import installed
    from alignrec_geo.training.tracking.choose import TRACKERS

    there = gpus()
    machine = {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cpus": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "blas": "MKL" if torch.backends.mkl.is_available() else "other",
        "gpu": ", ".join(gpu.name for gpu in there) or "none",
        "cuda": torch.version.cuda or "none",
        "cache": str(cache_folder()),
    }
    device = str(choose_device())
    chosen = [choose(operation, device) for operation in TABLE]
    optional = {package: find_spec(package) is not None for package in (*NEEDS.values(), *TRACKERS)}
    versions = {name: installed(name) for name in PACKAGES}
    report = {
        "versions": versions,
        "machine": machine,
        "device": device,
        "gpus": [gpu._asdict() for gpu in there],
        "backends": {row.operation: {"runs": row.runs, "reason": row.reason} for row in chosen},
        "optional": optional,
    }
    if as_json:
        print_json(report)
        return
    print_table("versions", ["package", "version"], versions.items())
    print_table("machine", ["", "value"], [[name, str(value)] for name, value in machine.items()])
    if there:
        rows = [[gpu.device, gpu.name, f"{gpu.free / 1e9:.1f} of {gpu.total / 1e9:.1f} GB"] for gpu in there]
        print_table("GPUs", ["--device", "name", "memory free"], rows)
    print_table(
        f"what runs on {device}, which --device auto takes",
        ["operation", "implementation", "why"],
        [list(row) for row in chosen],
    )
    found = [[package, "there" if here else "not installed"] for package, here in optional.items()]
    print_table("optional packages", ["package", ""], found)
