"""Ahead-of-time compilation of every kernel, without a GPU: does it compile, and what does it need of a multiprocessor.

Example:
    ``python -m alignrec_geo.kernels.triton.compile`` prints one JSON array.
"""

import json
import math
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
from alignrec_geo.kernels.triton import (
    adam,
    gate,
    gather,
    infonce,
    parts,
    similarity_gap,
    spmm,
    topk,
    triplet_loss,
    unit_rows,
)
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
    **dict.fromkeys(("rows", "target", "source", "ids", "weight", "best_column", "column", "sorted_column"), "*i64"),
    **dict.fromkeys(("parts", "columns", "corner"), "*bf16"),
    "squares": "*fp64",
    **dict.fromkeys(("over", "eps", "decay"), "fp32"),
}
"""Types of what is no table of float32."""
_ALIGNED = ("width", "padded_rows", "padded_width", "own_width", "first", "padded_size", "own")
"""Counts that are multiples of 16 at embeddings of 64 numbers."""
_COUNTS = ("count", "part_count", "size", "batch_size", "groups", "shares", "k", *_ALIGNED)


class Kernel(NamedTuple):
    """One kernel and the constants it is compiled with."""

    function: Any
    constants: Mapping[str, int | float | None]
    options: Mapping[str, int] = {}
    """Warps and stages, where they are not Triton's own."""
    stages: int | None = None
    """Of those that multiply parts, whose warps and stages go by the capability."""
    pointers: Mapping[str, str] = {}
    """Types of tables where they are not the usual ones."""


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
    tile = {"TILE": parts.TILE}
    pulls = {**tile, "MOST": infonce.MOST_SHARES, "WIDTH": WIDTH}
    plain = {"ids": None, "weight": None}
    best = {"CHUNK": topk.CHUNK, "GUESSES": topk.GUESSES}
    betas = {"BETA1": 0.9, "BETA2": 0.999, "LOG1": math.log(0.9), "LOG2": math.log(0.999)}
    rows = {"ROWS": spmm.ROWS, "UNROLL": spmm.UNROLL, "PART": spmm.PART, "CHUNK": spmm.CHUNK, "WIDTH": WIDTH}
    triplets = {"ROWS": triplet_loss.ROWS, "WIDTH": WIDTH}
    gates = {"ROWS": gate.ROWS, "WIDTH": WIDTH}
    unit = {"ROWS": unit_rows.NUMBERS // WIDTH, "WIDTH": WIDTH}
    sort = {"KEYS": gather.KEYS, "OTHERS": gather.OTHERS}
    return {
        "spmm.products": Kernel(spmm.products, rows),
        "spmm.products, 64-bit row pointers": Kernel(spmm.products, rows, pointers={"crow": "*i64"}),
        "spmm.add_parts": Kernel(spmm.add_parts, {"CHUNK": spmm.CHUNK, "WIDTH": WIDTH}),
        "gather.rank_sort": Kernel(gather.rank_sort, {**sort, "NARROW": True}),
        "gather.rank_sort, wide": Kernel(gather.rank_sort, {**sort, "NARROW": False}),
        "gather.segment_sums": Kernel(gather.segment_sums, {"PLACES": gather.PLACES, "WIDTH": WIDTH}),
        "infonce.pulls": Kernel(infonce.pulls, {**pulls, **plain, "OF_KEYS": False}, stages=infonce.STAGES),
        "infonce.pulls, of keys": Kernel(infonce.pulls, {**pulls, **plain, "OF_KEYS": True}, stages=infonce.STAGES),
        "infonce.pulls, ids and weight": Kernel(infonce.pulls, {**pulls, "OF_KEYS": True}, stages=infonce.STAGES),
        "infonce.finish": Kernel(infonce.finish, {"ROWS": infonce.ROWS, "WIDTH": WIDTH, "weight": None}),
        "parts.split_rows": Kernel(parts.split_rows, {"ROWS": parts.ROWS, "COLUMNS": parts.TILE}),
        "similarity_gap.gram_tiles": Kernel(similarity_gap.gram_tiles, tile, stages=similarity_gap.STAGES),
        "similarity_gap.slope_tiles": Kernel(
            similarity_gap.slope_tiles, {**tile, "SHARES": similarity_gap.SHARES}, stages=similarity_gap.STAGES
        ),
        "gate.gated": Kernel(gate.gated, gates),
        "gate.slopes": Kernel(gate.slopes, gates),
        "topk.best_of_rows": Kernel(topk.best_of_rows, {"BLOCK": 8192, **best}),
        "topk.best_of_rows, longest": Kernel(topk.best_of_rows, {"BLOCK": topk.LONGEST, **best}, {"num_warps": 16}),
        "topk.order_rows": Kernel(topk.order_rows, {"ROWS": 1, "SIDE": 64}),
        "adam.move": Kernel(adam.move, {**betas, "BLOCK": adam.BLOCK}, {"num_warps": adam.WARPS}),
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
    types = {
        name: "constexpr" if name in kernel.constants else kernel.pointers.get(name, _type_of(name)) for name in names
    }
    aligned = {
        (place,): [["tt.divisibility", 16]]
        for place, name in enumerate(names)
        if types[name].startswith("*") or (types[name] == "i32" and name in _ALIGNED)
    }
    source = ASTSource(kernel.function, types, constexprs=dict(kernel.constants), attrs=aligned)
    options = dict(kernel.options)
    if kernel.stages is not None:
        hopper = {"num_warps": parts.HOPPER_WARPS, "num_stages": kernel.stages}
        options |= hopper if capability >= 90 else parts.AMPERE
    compiled = triton.compile(source, target=GPUTarget("cuda", capability, _THREADS_PER_WARP), options=options)
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
