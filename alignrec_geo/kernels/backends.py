"""Which implementation of each operation runs here, and why."""

from importlib.util import find_spec
from typing import NamedTuple

import torch

OPERATIONS = ("spmm", "knn", "infonce", "similarity_gap", "topk")


class Backend(NamedTuple):
    """One row of the backends table."""

    operation: str
    """Name of the operation, the file in ``alignrec_geo/kernels``."""
    runs: str
    """The implementation that runs."""
    reason: str
    """Why this one."""


class Optional(NamedTuple):
    """An optional package that other implementations need."""

    package: str
    """Name to import."""
    available: bool
    """Whether it can be imported."""


def backends() -> list[Backend]:
    """Return the implementation that runs for every operation: the fast torch path, the only one so far."""
    device = "CUDA" if torch.cuda.is_available() else "CPU"
    reason = f"the default on {device}"
    mkl = "CSR with 32-bit indices by MKL" if torch.backends.mkl.is_available() else "CSR with 32-bit indices"
    return [Backend(name, "torch", f"{reason}; {mkl}" if name == "spmm" else reason) for name in OPERATIONS]


def optional_packages() -> list[Optional]:
    """Return which optional packages are here."""
    names = ("triton", "torch_sparse", "torch_scatter", "pyg_lib", "tensorboard")
    return [Optional(name, find_spec(name) is not None) for name in names]
