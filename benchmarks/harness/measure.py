"""Medians of interleaved runs, what the machine can do, and where results go."""

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import torch
from harness.machine import RESULTS, machine
from harness.program import called_as
from harness.workers import memory

from alignrec_geo.files import write_json

TILE, LARGEST_RESULT = 256, 1 << 24
"""Rows of a tile, and numbers of a result, that GEMM rates are measured with."""


class Measured(float):
    """Seconds that a call measured itself; :func:`interleave` takes them as they are."""


@dataclass(frozen=True)
class Timing:
    """Seconds of one contestant over all rounds."""

    median: float
    lower: float
    upper: float
    rounds: int

    @classmethod
    def of(cls, seconds: list[float]) -> "Timing":
        """Median and quartiles."""
        lower, _, upper = quantiles(seconds, n=4, method="inclusive") if len(seconds) > 1 else seconds * 3
        return cls(median(seconds), lower, upper, len(seconds))

    def as_json(self) -> dict[str, float]:
        """The numbers by name."""
        return asdict(self)


def interleave(calls: Mapping[str, Callable[[], object]], rounds: int, warmup: int = 1) -> dict[str, Timing]:
    """Run ``f, g, f, g, …`` and return each one's median and quartiles: what the machine does meanwhile hits all alike.

    Args:
        calls: by name; a call that returns :class:`Measured` has timed itself.
        rounds: timed rounds.
        warmup: rounds before them that are not counted.
    """
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(warmup + rounds):
        for name, call in calls.items():
            started = time.perf_counter()
            returned = call()
            synchronize()
            elapsed = time.perf_counter() - started
            if number >= warmup:
                seconds[name].append(float(returned) if isinstance(returned, Measured) else elapsed)
    return {name: Timing.of(values) for name, values in seconds.items()}


def synchronize() -> None:
    """Wait for the GPU, if one was used."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


@dataclass
class Rates:
    """What the machine can do, measured when first asked for: the best of several.

    Args:
        device: where.
        effort: seconds spent on each matrix shape.
    """

    device: str = "cpu"
    effort: float = 0.15
    gemms: dict[tuple[int, int, int], float] = field(default_factory=dict)
    copied: float | None = None

    def gemm(self, m: int, k: int, n: int) -> float:
        """FLOP/s of ``[m, k] @ [k, n]`` in float32: as a whole or in tiles of 256 rows, whichever is faster.

        Of a product with a huge result some rows are computed.
        """
        if (m, k, n) not in self.gemms:
            rows = min(m, max(TILE, LARGEST_RESULT // n))
            a, b = torch.randn(rows, k, device=self.device), torch.randn(k, n, device=self.device)
            out = torch.empty(rows, n, device=self.device)
            tile = out[: min(TILE, rows)]
            tiled_rows = rows // len(tile) * len(tile)

            def whole() -> None:
                torch.mm(a, b, out=out)

            def tiled() -> None:
                for start in range(0, tiled_rows, len(tile)):
                    torch.mm(a[start : start + len(tile)], b, out=tile)

            candidates = ((whole, rows), (tiled, tiled_rows)) if rows > TILE else ((whole, rows),)
            self.gemms[m, k, n] = max(2.0 * count * k * n / _best(call, self.effort) for call, count in candidates)
        return self.gemms[m, k, n]

    @property
    def copy(self) -> float:
        """Bytes/s of copying 256 MB, read and written bytes counted."""
        if self.copied is None:
            source = torch.ones(1 << 26, device=self.device)
            target = torch.empty_like(source)
            self.copied = 2.0 * source.numel() * 4 / _best(lambda: target.copy_(source), 4 * self.effort)
        return self.copied

    def as_json(self) -> dict[str, Any]:
        """GFLOP/s by shape and GB/s."""
        shapes = {"x".join(map(str, shape)): round(rate / 1e9, 1) for shape, rate in self.gemms.items()}
        return {"gemm_gflops": shapes, "copy_gb_s": round(self.copy / 1e9, 2)}


class PeakMemory:
    """How far the resident set rises above its start within a block.

    Example:
        >>> with PeakMemory() as peak:
        ...     _ = torch.ones(1 << 20)
        >>> peak.gb >= 0
        True
    """

    gb: float = 0.0

    def __enter__(self) -> "PeakMemory":
        Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
        self._before = memory("VmRSS")
        return self

    def __exit__(self, *_: object) -> None:
        self.gb = (memory("VmHWM") - self._before) / 1e9


def report(name: str, content: Mapping[str, Any], results: Path | None) -> dict[str, Any]:
    """Print a result as one JSON object, and store it unless ``results`` is ``None``.

    Args:
        name: of the result: ``results/NAME.json``.
        content: what was measured.
        results: the folder; see :func:`results_folder`.
    """
    result: dict[str, Any] = rounded({"name": name, "command": command(), **content, "machine": machine()})
    if results is not None:
        write_json(results / f"{name}.json", result)
    print(json.dumps(result))
    return result


def results_folder(quick: bool, results: Path | None) -> Path | None:
    """Where results go: what was asked for, else ``benchmarks/results``; quick runs are only printed."""
    return results if results is not None or quick else RESULTS


def command() -> str:
    """The command line of this program."""
    return " ".join([called_as(), *sys.argv[1:]])


def say(text: str) -> None:
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


def _best(call: Callable[[], object], effort: float) -> float:
    """The shortest of at least five runs."""
    call()
    synchronize()
    best, spent, runs = float("inf"), 0.0, 0
    while spent < effort or runs < 5:
        started = time.perf_counter()
        call()
        synchronize()
        elapsed = time.perf_counter() - started
        best, spent, runs = min(best, elapsed), spent + elapsed, runs + 1
    return best


def rounded(value: Any) -> Any:
    """Floats to five significant digits, at any depth."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, Mapping):
        return {key: rounded(part) for key, part in value.items()}
    return [rounded(part) for part in value] if isinstance(value, (list, tuple)) else value
