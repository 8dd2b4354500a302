"""Time on a GPU: events around a region, graphs of a call, memory, and which rates the machine reaches."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import torch
from harness.measure import Measured, Rates, Timing, interleave

SHORTEST = 0.02
"""Seconds that a timed region lasts at least, by repeating the call."""
MOST_REPEATS = 200


@dataclass(frozen=True)
class Clock:
    """Times calls on a device: by CUDA events on a GPU, else by the system's clock."""

    device: str

    @property
    def on_gpu(self) -> bool:
        """Whether the device is a GPU."""
        return torch.device(self.device).type == "cuda"

    def seconds(self, call: Callable[[], object], repeats: int = 1) -> float:
        """Seconds per call of ``repeats`` calls in a row: on a GPU from the first one's start to the last one's end."""
        if not self.on_gpu:
            started = time.perf_counter()
            for _ in range(repeats):
                call()
            return (time.perf_counter() - started) / repeats
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        torch.cuda.synchronize()
        start.record()
        for _ in range(repeats):
            call()
        end.record()
        end.synchronize()
        return float(start.elapsed_time(end)) / 1e3 / repeats

    def repeats(self, call: Callable[[], object]) -> int:
        """How many calls last :data:`SHORTEST`; also warms up."""
        self.seconds(call, 3)
        return max(1, min(MOST_REPEATS, round(SHORTEST / max(self.seconds(call), 1e-7))))

    def compare(self, calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Timing]:
        """Warm up, then time the calls in turns; medians and quartiles of seconds per call."""
        repeats = {name: self.repeats(call) for name, call in calls.items()}

        def timed(name: str) -> Callable[[], Measured]:
            return lambda: Measured(self.seconds(calls[name], repeats[name]))

        return interleave({name: timed(name) for name in calls}, rounds)


def in_turn(call: Callable[[Any], object], arguments: list[Any]) -> Callable[[], object]:
    """A call without arguments that takes the next argument each time, from the start again after the last."""
    following = cycle(arguments)
    return lambda: call(next(following))


def graphed(call: Callable[[], object]) -> Callable[[], object]:
    """Capture a call in a CUDA graph and return its replay.

    Raises:
        RuntimeError: it cannot be captured.
    """
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def reset_peak(device: str) -> None:
    """Forget the largest memory use so far."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak_gb(device: str) -> float | None:
    """The largest memory that tensors took on the GPU since :func:`reset_peak`; ``None`` on a CPU."""
    return torch.cuda.max_memory_allocated() / 1e9 if torch.device(device).type == "cuda" else None


@dataclass
class DeviceRates(Rates):
    """One copy bandwidth and one float32 product rate, of sizes that fill the device.

    The rates of ``measure.Rates`` hold the launch of a small product; the limit of a GPU does not.

    Args:
        copied: bytes/s, read and written bytes counted.
        product: FLOP/s in float32, without TF32.
    """

    product: float = 1.0
    tf32: float | None = None

    def gemm(self, m: int, k: int, n: int) -> float:
        """The same rate for every shape."""
        return self.product

    def as_json(self) -> dict[str, Any]:
        """GB/s and TFLOP/s."""
        rates = {"copy_gb_s": self.copy / 1e9, "float32_tflops": self.product / 1e12}
        return rates if self.tf32 is None else {**rates, "tf32_tflops": self.tf32 / 1e12}


def measure_rates(device: str, quick: bool = False) -> DeviceRates:
    """Measure the copy bandwidth on 1 GB and the product rate on 8192 × 8192 matrices; the best of some runs."""
    clock = Clock(device)
    numbers, side, rounds = (1 << 20, 256, 2) if quick else (1 << 28, 8192, 5)
    source = torch.randn(numbers, device=device)
    target = torch.empty_like(source)
    copied = 8.0 * numbers / _best(clock, lambda: target.copy_(source), rounds)
    a, b = torch.randn(side, side, device=device), torch.randn(side, side, device=device)
    out = torch.empty(side, side, device=device)
    flops = 2.0 * side**3
    rates = DeviceRates(device, copied=copied, product=flops / _best(clock, lambda: torch.mm(a, b, out=out), rounds))
    if clock.on_gpu:
        before = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = True
        rates.tf32 = flops / _best(clock, lambda: torch.mm(a, b, out=out), rounds)
        torch.backends.cuda.matmul.allow_tf32 = before
    return rates


def _best(clock: Clock, call: Callable[[], object], rounds: int) -> float:
    clock.seconds(call, 2)
    return min(clock.seconds(call) for _ in range(rounds))
