"""How much of a step the GPU works: the kernels' time by the profiler over the step's time without it."""

from typing import Any

import torch
from torch.autograd import DeviceType  # type: ignore[attr-defined]
from torch.profiler import ProfilerActivity, profile

from gpu_sections.clock import Clock, in_turn
from gpu_sections.setting import Emit, Setting, Turn, alignrec, dataset_of, draw_batches, graph_of, naive
from gpu_sections.steppers import naive_stepper, stepper
from gpu_sections.steps import BATCHES, KINDS, one_line

STEPS = 20


def busy_share(setting: Setting, turn: Turn, emit: Emit) -> None:
    """AlignRec's step: milliseconds that kernels run, how many there are, and which take longest."""
    dataset = dataset_of(setting, setting.shape)
    graph = graph_of(dataset)
    models = {(kind, way): alignrec(graph, kind == "trainable", setting.seed) for kind in KINDS for way in WAYS}
    turn()
    batches = draw_batches(dataset.interactions, setting.batch, BATCHES, setting.device, setting.seed)
    for (kind, way), model in models.items():
        row: dict[str, Any] = {"what": f"{kind}, {way}"}
        try:
            if way == "naive":
                call = naive_stepper(naive(model, setting.device))
            else:
                call = stepper(model, setting, way == "captured", batches[0])
            emit({**row, **_busy(Clock(setting.device), in_turn(call, batches))})
        except Exception as error:
            emit({**row, "failed": one_line(error)})


WAYS = ("captured", "eager", "naive")


def _busy(clock: Clock, call: Any) -> dict[str, Any]:
    step = clock.seconds(call, clock.repeats(call))
    if not clock.on_gpu:
        return {"step_seconds": step, "note": "needs a GPU"}
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        for _ in range(STEPS):
            call()
        torch.cuda.synchronize()
    spans: list[tuple[float, float]] = []
    longest: dict[str, float] = {}
    for event in profiler.events() or []:
        if event.device_type == DeviceType.CUDA:
            span = event.time_range
            spans.append((span.start, span.end))
            longest[event.name] = longest.get(event.name, 0.0) + (span.end - span.start)
    kernels = union(spans) / 1e6 / STEPS
    top = sorted(longest.items(), key=lambda pair: -pair[1])[:8]
    return {
        "step_seconds": step,
        "kernel_seconds": kernels,
        "share": kernels / step,
        "kernels_per_step": len(spans) / STEPS,
        "longest_us": {name[:80]: total / STEPS for name, total in top},
    }


def union(spans: list[tuple[float, float]]) -> float:
    """The length that intervals cover together.

    Example:
        >>> union([(0.0, 2.0), (1.0, 3.0), (5.0, 6.0)])
        4.0
    """
    covered, end = 0.0, float("-inf")
    for start, stop in sorted(spans):
        covered += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return covered
