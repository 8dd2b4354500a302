"""Which library multiplies matrices fastest on this machine: measured once, kept in the cache folder."""

import hashlib
import math
import platform
import time
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from alignrec_geo.errors import InputError
from alignrec_geo.files import cache_folder, read_object, write_json
from alignrec_geo.reading import first_line

SHAPES = ((2048, 64, 2048), (7050, 768, 64), (768, 7050, 64), (1024, 64, 7050))
"""Rows, inner width and columns of the products that are timed: similarities in a batch, a projection of features and
its gradient, scores."""
MARGIN = 1.15
"""How many times faster oneDNN must be to be taken."""
ROUNDS = 5
"""Timed products of each shape; the shortest counts."""
CPU_INFO = Path("/proc/cpuinfo")


@cache
def fastest() -> tuple[str, str]:
    """Return the backend of ``matmul`` for this machine's CPU and the reason.

    Only where MKL is known to hold back is anything measured: AVX-512 on a processor that is not Intel's. Everywhere
    else products, and with them the digits of all results, stay what they are.
    """
    vendor, model = _processor()
    wide = torch.backends.cpu.get_cpu_capability() == "AVX512"
    if vendor in ("", "GenuineIntel") or not (wide and torch.backends.mkl.is_available() and has_onednn()):
        return "torch", "the default on CPU"
    file = _file(model)
    ratio = None if file is None else _read(file)
    if ratio is None:
        ratio = measure()
        if file is not None:
            _write(file, ratio, model)
    return ("onednn" if ratio >= MARGIN else "torch"), f"measured once: oneDNN at {ratio:.2f}\u00d7 MKL's speed"


def has_onednn() -> bool:
    """Whether this build of torch has what the backend ``onednn`` needs."""
    return torch.backends.mkldnn.is_available() and all(
        (hasattr(torch.ops.mkldnn, "_linear_pointwise"), hasattr(torch.library, "get_kernel"))
    )


def onednn_mm(a: Tensor, b: Tensor) -> Tensor:
    """``a @ b`` by oneDNN, a new tensor."""
    made: Tensor = torch.ops.mkldnn._linear_pointwise(a, b.t(), None, "none", [], "")
    return made


def measure() -> float:
    """How many times faster oneDNN multiplies than torch does by itself: the geometric mean over :data:`SHAPES`."""
    generator = torch.Generator().manual_seed(0)
    ratios = []
    for rows, inner, columns in SHAPES:
        a = torch.randn(rows, inner, generator=generator)
        b = torch.randn(columns, inner, generator=generator).T
        ratios.append(_seconds(torch.mm, a, b) / _seconds(onednn_mm, a, b))
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def _seconds(multiply: Callable[[Tensor, Tensor], Tensor], a: Tensor, b: Tensor) -> float:
    taken = []
    for _ in range(ROUNDS + 1):
        started = time.perf_counter()
        multiply(a, b)
        taken.append(time.perf_counter() - started)
    return min(taken[1:])


def _processor() -> tuple[str, str]:
    """Maker and model of the processor, as Linux names them."""
    lines = CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines() if CPU_INFO.exists() else []
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return facts.get("vendor_id", ""), facts.get("model name", "")


def _file(model: str) -> Path | None:
    text = f"matmul-1 {platform.node()} {model} torch={torch.__version__} threads={torch.get_num_threads()}"
    try:
        return cache_folder() / "matmul" / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
    except RuntimeError:  # no home folder
        return None


def _read(file: Path) -> float | None:
    """What the cache has, ``None`` if that is nothing, or damaged: then it is measured again."""
    try:
        ratio = read_object(file).get("onednn_over_mkl")
    except (InputError, OSError):
        return None
    return float(ratio) if isinstance(ratio, int | float) and 0 < ratio < math.inf else None


def _write(file: Path, ratio: float, model: str) -> None:
    try:
        write_json(file, {"onednn_over_mkl": ratio, "cpu": model, "threads": torch.get_num_threads()})
    except (OSError, InputError) as error:
        warnings.warn(
            f"what multiplies fastest cannot be kept in {file.parent} and is measured in every process "
            f"({first_line(error)}); the environment variable ALIGNREC_CACHE names another folder",
            stacklevel=3,
        )
