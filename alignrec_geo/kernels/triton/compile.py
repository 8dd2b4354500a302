"""Ahead-of-time compilation of every kernel, without a GPU: does it compile, and what does it need of a multiprocessor.

Example:
    ``python -m alignrec_geo.kernels.triton.compile`` prints one JSON array.
"""

import json
import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from alignrec_geo.errors import InputError
from alignrec_geo.kernels.triton import gather, infonce, spmm, triplet_loss, unit_rows
from alignrec_geo.kernels.triton.launch import INTERPRETED

CAPABILITIES = (80, 90)
"""A100 and H100."""
WIDTH = 64
"""Embedding size compiled for."""
_THREADS_PER_WARP = 32

_POINTERS = {
    **dict.fromkeys(
        ("crow", "col", "order", "part_row", "part_start", "part_slot", "split_row", "split_start"), "*i32"
    ),
    **dict.fromkeys(("rows", "target", "source", "ids", "weight"), "*i64"),
}
"""Types of the tables that do not hold float32."""
_COUNTS = ("count", "part_count", "width", "size", "batch_size")


class Kernel(NamedTuple):
    """One kernel and the constants it is compiled with."""

    function: Any
    constants: Mapping[str, int | float | None]


class Resources(NamedTuple):
    """What one compiled kernel needs."""

    kernel: str
    capability: int
    """Compute capability, ``80`` for 8.0."""
    warps: int
    registers: int
    """Per thread."""
    shared_bytes: int
    """Per program."""
    spill_store_bytes: int
    """Per thread."""
    spill_load_bytes: int
    cubin_bytes: int


def kernels() -> dict[str, Kernel]:
    """Return every kernel with the constants it runs with at embeddings of 64 numbers."""
    softmax = {"BLOCK": 2048}
    rows = {"ROWS": spmm.ROWS, "UNROLL": spmm.UNROLL, "PART": spmm.PART, "CHUNK": spmm.CHUNK, "WIDTH": WIDTH}
    triplets = {"ROWS": triplet_loss.ROWS, "WIDTH": WIDTH}
    unit = {"ROWS": unit_rows.NUMBERS // WIDTH, "WIDTH": WIDTH}
    sort = {"KEYS": gather.KEYS, "OTHERS": gather.OTHERS}
    return {
        "spmm.products": Kernel(spmm.products, rows),
        "spmm.add_parts": Kernel(spmm.add_parts, {"CHUNK": spmm.CHUNK, "WIDTH": WIDTH}),
        "gather.rank_sort": Kernel(gather.rank_sort, {**sort, "NARROW": True}),
        "gather.rank_sort, wide": Kernel(gather.rank_sort, {**sort, "NARROW": False}),
        "gather.segment_sums": Kernel(gather.segment_sums, {"PLACES": gather.PLACES, "WIDTH": WIDTH}),
        "infonce.softmax_rows": Kernel(infonce.softmax_rows, {**softmax, "ids": None, "weight": None}),
        "infonce.softmax_rows, ids": Kernel(infonce.softmax_rows, {**softmax, "weight": None}),
        "infonce.softmax_rows, weight": Kernel(infonce.softmax_rows, {**softmax, "ids": None}),
        "triplet_loss.triplets": Kernel(triplet_loss.triplets, triplets),
        "triplet_loss.slopes": Kernel(triplet_loss.slopes, triplets),
        "unit_rows.lengths": Kernel(unit_rows.lengths, unit),
        "unit_rows.turned": Kernel(unit_rows.turned, unit),
    }


def compile_kernel(name: str, kernel: Kernel, capability: int) -> Resources:
    """Compile one kernel for one compute capability.

    Pointers and the width are taken to be multiples of 16, as they are at run time.

    Args:
        name: its name in the result.
        kernel: function and constants.
        capability: ``80``, ``90``, …

    Raises:
        InputError: the kernels were made for the interpreter.
    """
    if INTERPRETED:
        raise InputError("kernels made for Triton's interpreter cannot be compiled; unset TRITON_INTERPRET")
    names: list[str] = kernel.function.arg_names
    types = {name: "constexpr" if name in kernel.constants else _type_of(name) for name in names}
    aligned = {
        (place,): [["tt.divisibility", 16]]
        for place, name in enumerate(names)
        if types[name].startswith("*") or (name == "width" and name not in kernel.constants)
    }
    source = ASTSource(kernel.function, types, constexprs=dict(kernel.constants), attrs=aligned)
    compiled = triton.compile(source, target=GPUTarget("cuda", capability, _THREADS_PER_WARP))
    said = _assemble(compiled.asm["ptx"])
    return Resources(
        kernel=name,
        capability=capability,
        warps=compiled.metadata.num_warps,
        registers=_number(r"Used (\d+) registers", said),
        shared_bytes=compiled.metadata.shared,
        spill_store_bytes=_number(r"(\d+) bytes spill stores", said),
        spill_load_bytes=_number(r"(\d+) bytes spill loads", said),
        cubin_bytes=len(compiled.asm["cubin"]),
    )


def compile_all(capabilities: tuple[int, ...] = CAPABILITIES) -> list[Resources]:
    """Compile every kernel for every capability."""
    return [compile_kernel(name, kernel, each) for name, kernel in kernels().items() for each in capabilities]


def _type_of(name: str) -> str:
    return "i32" if name in _COUNTS else _POINTERS.get(name, "*fp32")


def _assemble(ptx: str) -> str:
    """What ptxas says about a program."""
    target = re.search(r"^\.target (\w+)", ptx, re.MULTILINE)
    assert target is not None, "PTX names its target"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "kernel.ptx")
        source.write_text(ptx)
        command = [triton.knobs.nvidia.ptxas.path, "-v", f"--gpu-name={target[1]}", source, "-o", Path(folder, "cubin")]
        return subprocess.run(command, check=True, capture_output=True, text=True).stderr


def _number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    assert found is not None, f"ptxas -v reports {pattern}"
    return int(found[1])


if __name__ == "__main__":
    print(json.dumps([each._asdict() for each in compile_all()], indent=1))
