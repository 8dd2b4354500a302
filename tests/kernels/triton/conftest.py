"""Triton decides when it is imported whether kernels are interpreted, so these tests need a process made for them.

`tests/kernels/test_triton_interpreted.py` runs this folder in a process with TRITON_INTERPRET=1, on CPU tensors.
Collected directly, these tests run on a GPU, or not at all where there is none.
"""

import os
from importlib.util import find_spec

import pytest
import torch

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"

collect_ignore_glob = []
if find_spec("triton") is None or not (INTERPRETED or torch.cuda.is_available()):
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def device() -> torch.device:
    """CPU in the interpreter, else the GPU."""
    return torch.device("cpu" if INTERPRETED else "cuda")


@pytest.fixture(scope="session", autouse=True)
def _no_backend_from_outside():
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ALIGNREC_BACKEND", raising=False)
        yield
