"""Which implementation of each operation runs, and why: one table for all of them."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch

from alignrec_geo.errors import InputError
from alignrec_geo.kernels.fastest_matmul import fastest, has_onednn

VARIABLE = "ALIGNREC_BACKEND"
AUTO = "auto"

TABLE: dict[str, dict[str, str]] = {
    "spmm": {
        "torch": "spmm:multiply",
        "triton": "triton.spmm:multiply",
        "torch-sparse": "torch_sparse_spmm:multiply",
        "torch-scatter": "torch_scatter_spmm:multiply",
        "reference": "spmm:reference_multiply",
    },
    "gather": {
        "torch": "gather:accumulate",
        "triton": "triton.gather:accumulate",
        "torch-scatter": "torch_scatter_gather:accumulate",
        "reference": "gather:reference_accumulate",
    },
    "infonce": {
        "torch": "infonce:loss_and_gradients",
        "dense": "infonce:dense_loss_and_gradients",
        "triton": "triton.infonce:loss_and_gradients",
        "reference": "infonce:reference_loss_and_gradients",
    },
    "triplet_loss": {
        "torch": "triplet_loss:terms_and_gradients",
        "triton": "triton.triplet_loss:terms_and_gradients",
        "reference": "triplet_loss:reference_terms_and_gradients",
    },
    "similarity_gap": {
        "torch": "similarity_gap:grams",
        "triton": "triton.similarity_gap:grams",
        "reference": "similarity_gap:reference_grams",
    },
    "unit_rows": {
        "torch": "unit_rows:normalise",
        "triton": "triton.unit_rows:normalise",
        "reference": "unit_rows:reference_normalise",
    },
    "topk": {
        "torch": "topk:rank_users",
        "numpy": "numpy_topk:rank_users",
        "triton": "triton.topk:rank_users",
        "reference": "topk:reference_rank_users",
    },
    "gate": {
        "torch": "gate:gate",
        "triton": "triton.gate:gate",
        "reference": "gate:reference_gate",
    },
    "adam": {
        "torch": "adam:update",
        "triton": "triton.adam:update",
        "reference": "adam:reference_update",
    },
    "matmul": {
        "torch": "matmul:product",
        "onednn": "matmul:onednn_product",
        "reference": "matmul:reference_product",
    },
}
"""Operation → backend → where its function is, below ``alignrec_geo.kernels``."""

GRADIENTS: dict[str, dict[str, str]] = {
    "similarity_gap": {
        "torch": "similarity_gap:slope",
        "triton": "triton.similarity_gap:slope",
        "reference": "similarity_gap:reference_slope",
    },
    "triplet_loss": {"torch": "triplet_loss:gradients", "triton": "triton.triplet_loss:gradients"},
    "gate": {"torch": "gate:gradient", "triton": "triton.gate:gradient"},
    "unit_rows": {"torch": "unit_rows:gradient", "triton": "triton.unit_rows:gradient"},
}
"""The same for the gradient, where a backend has a function of its own; the others take torch's."""

PLANS: dict[str, dict[str, str]] = {"gather": {"triton": "triton.gather:in_order"}}
"""What a backend computes of its indices alone, so that it can be made once and beforehand."""

ON_CPU = {"topk": "numpy"}
"""What runs on a CPU where it is not torch."""

ELSEWHERE = {"infonce": "dense"}
"""What runs on a GPU without Triton where it is not torch."""

FORMER_NAMES = {"pair_loss": "triplet_loss"}
"""Former names of operations, still accepted in settings and in ``$ALIGNREC_BACKEND``."""

NEEDS = {"triton": "triton", "torch-sparse": "torch_sparse", "torch-scatter": "torch_scatter"}
"""Backends that need a package."""

CPU_ONLY = ("numpy", "onednn")
"""Backends for tensors on a CPU."""

LEAST_VERSION = {"triton": (3, 4)}
"""Versions below it are not used: they lack what the kernels are written with."""

_forced: dict[str, str] = {}


class Choice(NamedTuple):
    """One row of the backends table."""

    operation: str
    """Name of the operation, the file in ``alignrec_geo/kernels``."""
    runs: str
    """The backend that runs."""
    reason: str
    """Why this one."""


def choose(operation: str, device: torch.device | str = "cpu") -> Choice:
    """Return the backend that runs ``operation`` on ``device``.

    What :func:`use_backends` forces comes first, then ``$ALIGNREC_BACKEND`` (one backend for every operation that has
    it, or ``spmm=torch-sparse,infonce=reference``), then Triton for CUDA tensors where it is installed,
    :data:`ON_CPU` on a CPU (for ``matmul`` what :func:`~alignrec_geo.kernels.fastest_matmul.fastest` measured), else
    torch.

    Raises:
        InputError: a forced backend does not exist, its package is not installed, or it cannot run on ``device``.
    """
    kind = torch.device(device).type
    forced = _forced.get(operation, AUTO)
    if forced != AUTO:
        return Choice(operation, _checked(operation, forced, kind), "set by kernels." + operation)
    wanted = _from_environment(os.environ.get(VARIABLE, "")).get(operation)
    if wanted is not None:
        return Choice(operation, _checked(operation, wanted, kind), f"set by ${VARIABLE}")
    if kind == "cuda" and "triton" in TABLE[operation] and available("triton"):
        return Choice(operation, "triton", "the default on CUDA")
    if operation == "matmul" and kind == "cpu":
        return Choice(operation, *fastest())
    runs = (ON_CPU if kind == "cpu" else ELSEWHERE).get(operation, "torch")
    return Choice(operation, runs, f"the default on {kind.upper()}")


def check_backends(device: torch.device) -> None:
    """Check that every operation has a backend that runs on ``device``, before anything is written or trained.

    Raises:
        InputError: one is forced that does not.
    """
    for operation in TABLE:
        choose(operation, device)


def implementation(operation: str, device: torch.device) -> Callable[..., Any]:
    """Return the function that runs ``operation`` on ``device``."""
    return _load(TABLE[operation][choose(operation, device).runs])


def gradient_implementation(operation: str, device: torch.device) -> Callable[..., Any]:
    """Return the function that computes the gradient of ``operation`` on ``device``."""
    functions = GRADIENTS[operation]
    return _load(functions.get(choose(operation, device).runs, functions["torch"]))


def plan_implementation(operation: str, device: torch.device) -> Callable[..., Any] | None:
    """Return the function that prepares ``operation`` on ``device``; ``None`` where nothing need be prepared."""
    place = PLANS[operation].get(choose(operation, device).runs)
    return None if place is None else _load(place)


@contextmanager
def use_backends(**choices: str) -> Iterator[None]:
    """Force backends by operation within a block; ``auto`` leaves the choice open.

    Raises:
        InputError: an operation or backend does not exist, or its package is not installed.

    Example:
        >>> with use_backends(spmm="reference"):
        ...     choose("spmm").runs
        'reference'
    """
    before = dict(_forced)
    for name, backend in choices.items():
        operation = FORMER_NAMES.get(name, name)
        if operation not in TABLE:
            raise InputError(f"unknown operation (got '{operation}'); there are: {', '.join(TABLE)}")
        if backend != AUTO:
            _checked(operation, backend)
        _forced[operation] = backend
    try:
        yield
    finally:
        _forced.clear()
        _forced.update(before)


@cache
def available(backend: str) -> bool:
    """Whether a backend's package is installed, in a version that has what the backend uses."""
    if backend == "onednn":
        return has_onednn()
    if backend not in NEEDS:
        return True
    if find_spec(NEEDS[backend]) is None:
        return False
    least = LEAST_VERSION.get(backend, (0,))
    return tuple(int(part) for part in re.findall(r"\d+", version(NEEDS[backend]))[: len(least)]) >= least


def backend_names() -> list[str]:
    """Every backend of any operation."""
    return list(dict.fromkeys(name for backends in TABLE.values() for name in backends))


@cache
def _from_environment(text: str) -> Mapping[str, str]:
    wanted: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        operation, equals, backend = part.partition("=")
        if equals:
            operation = FORMER_NAMES.get(operation, operation)
            if operation not in TABLE:
                raise InputError(f"${VARIABLE}: unknown operation (got '{operation}'); there are: {', '.join(TABLE)}")
            wanted[operation] = backend
        elif part in backend_names():
            wanted |= {name: part for name, backends in TABLE.items() if part in backends}
        else:
            raise InputError(f"${VARIABLE}: unknown backend (got '{part}'); there are: {', '.join(backend_names())}")
    return wanted


def _checked(operation: str, backend: str, device: str | None = None) -> str:
    if backend not in TABLE[operation]:
        raise InputError(f"{operation} has no backend '{backend}'; there are: {', '.join(TABLE[operation])}")
    if not available(backend):
        least = ".".join(map(str, LEAST_VERSION.get(backend, ())))
        if backend not in NEEDS:
            raise InputError(f"backend '{backend}' of {operation} needs a torch 2.9 or newer that was built with it")
        wanted = f"{NEEDS[backend]} {least} or newer" if least else f"the package {NEEDS[backend]}"
        raise InputError(f"backend '{backend}' of {operation} needs {wanted}, which is not installed")
    if backend in CPU_ONLY and device not in (None, "cpu"):
        raise InputError(f"backend '{backend}' of {operation} runs on a CPU only (got {device})")
    if backend == "triton" and device not in (None, "cuda") and os.environ.get("TRITON_INTERPRET") != "1":
        raise InputError(
            f"backend 'triton' of {operation} runs on CUDA tensors (got {device}); on a CPU it runs in Triton's "
            "interpreter only, with TRITON_INTERPRET=1 set from the start"
        )
    return backend


@cache
def _load(place: str) -> Callable[..., Any]:
    module, _, function = place.partition(":")
    found: Callable[..., Any] = getattr(import_module(f"alignrec_geo.kernels.{module}"), function)
    return found
