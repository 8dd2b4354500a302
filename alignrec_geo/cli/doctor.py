"""``alignrec-geo doctor``: what this machine has and what will run on it."""

import os
import platform
from importlib.metadata import version

from alignrec_geo.cli.output import JsonFlag, print_json, print_table

PACKAGES = ("alignrec-geo", "torch", "torch-geometric", "numpy", "polars", "pyarrow", "safetensors", "transformers")


def doctor(as_json: JsonFlag = False) -> None:
    """Print versions, threads, BLAS, GPU and which implementation of each operation runs.

    Example: alignrec-geo doctor --json
    """
    import torch

    from alignrec_geo.graph.item_knn import cache_folder
    from alignrec_geo.kernels.backends import backends, optional_packages

    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    machine = {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cpus": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "blas": "MKL" if torch.backends.mkl.is_available() else "other",
        "gpu": ", ".join(gpus) or "none",
        "cuda": torch.version.cuda or "none",
        "cache": str(cache_folder()),
    }
    versions = {name: version(name) for name in PACKAGES}
    report = {
        "versions": versions,
        "machine": machine,
        "backends": {row.operation: {"runs": row.runs, "reason": row.reason} for row in backends()},
        "optional": {row.package: row.available for row in optional_packages()},
    }
    if as_json:
        print_json(report)
        return
    print_table("versions", ["package", "version"], versions.items())
    print_table("machine", ["", "value"], [[name, str(value)] for name, value in machine.items()])
    print_table("what runs", ["operation", "implementation", "why"], [list(row) for row in backends()])
    found = [[row.package, "there" if row.available else "not installed"] for row in optional_packages()]
    print_table("optional packages", ["package", ""], found)
