"""Dense matrix products on a CPU: torch's library, or oneDNN where it is faster.

torch's CPU builds for x86 multiply with Intel's MKL, which keeps its AVX-512 kernels for Intel's processors. They bring
oneDNN along, which takes what the processor has; ``torch.compile`` multiplies with it. Both compute in float32; the
order of sums, and with it the last digits, may differ.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from alignrec_geo.kernels.backends import choose, implementation
from alignrec_geo.kernels.fastest_matmul import onednn_mm

SMALLEST = 1 << 18
"""Products with fewer multiplications stay with torch: the call itself is what they cost."""


def multiply(a: Tensor, b: Tensor, out: Tensor) -> Tensor:
    """Return ``a @ b``, by the backend of ``matmul`` for their device.

    Args:
        a: ``[n, k]``.
        b: ``[k, m]``.
        out: ``[n, m]``, where the result is written, unless the backend makes a new tensor.
    """
    made: Tensor = implementation("matmul", a.device)(a, b, out)
    return made


def product(a: Tensor, b: Tensor, out: Tensor) -> Tensor:
    """Backend ``torch``: ``a @ b``, written to ``out``.

    Every backend has the signature of :func:`multiply`.
    """
    return torch.mm(a, b, out=out)


def reference_product(a: Tensor, b: Tensor, out: Tensor) -> Tensor:
    """Backend ``reference``: computed in double precision."""
    return out.copy_(a.double() @ b.double())


def onednn_product(a: Tensor, b: Tensor, out: Tensor | None = None) -> Tensor:
    """Backend ``onednn``: a new tensor; what it does not take goes to torch."""
    if out is not None and not _taken(a, b):
        return torch.mm(a, b, out=out)
    return onednn_mm(a, b)


@contextmanager
def use_matmul(device: torch.device) -> Iterator[None]:
    """Within the block all products of float32 matrices on a CPU, those of backward passes too, run as chosen.

    ``matmul`` is the one operation that models do not call by its name: they write ``a @ b``. Where ``onednn`` is
    chosen, torch's own products on a CPU are replaced (``torch.library``) until the block ends; else nothing is done.

    Args:
        device: where the block computes.
    """
    if choose("matmul", device).runs != "onednn":
        yield
        return
    library = torch.library.Library("aten", "IMPL")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="(?s).*Overriding a previously registered kernel")
            for name, function in _replacements().items():
                library.impl(name, function, "CPU", allow_override=True)
        yield
    finally:
        library._destroy()


def _taken(a: Tensor, b: Tensor) -> bool:
    large = a.dim() == 2 and b.dim() == 2 and a.shape[0] * a.shape[1] * b.shape[1] >= SMALLEST
    return large and a.dtype == b.dtype == torch.float32 and a.shape[1] == b.shape[0]


def _replacements() -> dict[str, Callable[..., Any]]:
    """torch's products by name, each with torch's own kernel for what oneDNN does not take."""
    aten, keys = torch.ops.aten, torch._C.DispatchKeySet(torch._C.DispatchKey.CPU)

    def kernel(overload: Any) -> Callable[..., Any]:
        own = torch.library.get_kernel(overload, "CPU")
        return lambda *values, **options: own.call_boxed(keys, *values, **options)

    own_mm, own_mm_out = kernel(aten.mm.default), kernel(aten.mm.out)
    own_addmm, own_addmm_ = kernel(aten.addmm.default), kernel(aten.addmm_.default)

    def mm(a: Tensor, b: Tensor) -> Any:
        return onednn_product(a, b) if _taken(a, b) else own_mm(a, b)

    def mm_out(a: Tensor, b: Tensor, *, out: Tensor) -> Any:
        fits = _taken(a, b) and out.dtype == torch.float32 and out.shape == (a.shape[0], b.shape[1])
        return out.copy_(onednn_product(a, b)) if fits else own_mm_out(a, b, out=out)

    def addmm(base: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1) -> Any:
        if _taken(a, b) and base.dtype == torch.float32 and beta == 1:
            return onednn_product(a, b).mul_(alpha).add_(base)
        return own_addmm(base, a, b, beta=beta, alpha=alpha)

    def addmm_(base: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1) -> Any:
        if _taken(a, b) and base.dtype == torch.float32 and beta == 1:
            return base.add_(onednn_product(a, b), alpha=alpha)
        return own_addmm_(base, a, b, beta=beta, alpha=alpha)

    return {"mm": mm, "mm.out": mm_out, "addmm": addmm, "addmm_": addmm_}
