"""Each operation of ``alignrec_geo.kernels`` on the device: every backend, alone and in a graph, against naive."""

from collections.abc import Callable
from typing import Any

import torch
from harness.contest import Contest, largest_difference
from speed.kernels import contests

from alignrec_geo.kernels.backends import CPU_ONLY, TABLE, available, choose, use_backends
from gpu_sections.clock import Clock, graphed, measure_rates
from gpu_sections.setting import Emit, Setting, Turn, dataset_of
from gpu_sections.steps import one_line

REFERENCE = "reference"


def operations(setting: Setting, turn: Turn, emit: Emit) -> None:
    """Forward and backward of each operation at the sizes of a step; inputs are the same in every call."""
    dataset = dataset_of(setting, setting.shape)
    turn()
    rates = measure_rates(setting.device, setting.quick)
    clock = Clock(setting.device)
    all_contests = contests(dataset, setting.batch, setting.device, setting.seed)
    rows: dict[str, dict[str, Any]] = {}
    for name, contest in all_contests.items():
        row: dict[str, Any] = {"what": name, "detail": contest.what, "limit_seconds": contest.cost.limit(rates)}
        row |= {"gflop": contest.cost.flops / 1e9, "gb": contest.cost.bytes / 1e9}
        if name in TABLE:
            row["default"] = choose(name, setting.device).runs
        calls: dict[str, Callable[[], object]] = {"naive": contest.naive}
        for backend in backends(name, setting.device):
            call = forced(contest, name, backend)
            try:
                row.setdefault("difference", {})[backend] = difference(contest, name, backend)
                calls[backend] = call
            except Exception as error:
                row.setdefault("failed", {})[backend] = one_line(error)
        times = clock.compare(calls, setting.rounds)
        row["seconds"] = {key: timing.as_json() for key, timing in times.items()}
        rows[name] = row
        emit({**row, **summary(row)})
    if setting.on_gpu:
        in_graphs(setting, clock, all_contests, emit)


BESIDE_STEPS = ("topk", "knn")
"""Operations that are no part of a step."""


def in_graphs(setting: Setting, clock: Clock, all_contests: dict[str, Contest], emit: Emit) -> None:
    """The same calls, replayed from CUDA graphs: what they cost within a captured step."""
    for name, contest in all_contests.items():
        if name in BESIDE_STEPS:
            continue
        row: dict[str, Any] = {"what": f"{name}, in a graph"}
        calls: dict[str, Callable[[], object]] = {}
        for key, call in {
            "naive": contest.naive,
            **{backend: forced(contest, name, backend) for backend in backends(name, setting.device)},
        }.items():
            try:
                calls[key] = graphed(call)
            except Exception as error:
                torch.cuda.synchronize()
                row.setdefault("failed", {})[key] = one_line(error)
        if calls:
            times = clock.compare(calls, setting.rounds)
            row["seconds"] = {key: timing.as_json() for key, timing in times.items()}
        emit(row)


def backends(name: str, device: str) -> list[str]:
    """The backends of an operation that can run here; one that has no choice is called ``ours``."""
    if name not in TABLE:
        return ["ours"]
    on_gpu = torch.device(device).type == "cuda"
    elsewhere = CPU_ONLY if on_gpu else ("triton",)
    return [key for key in TABLE[name] if key != REFERENCE and available(key) and key not in elsewhere]


def forced(contest: Contest, name: str, backend: str) -> Callable[[], object]:
    """Our form of a contest with a backend."""

    def call() -> object:
        with use_backends(**({name: backend} if name in TABLE else {})):
            return contest.ours()

    return call


def difference(contest: Contest, name: str, backend: str) -> float:
    """How far a backend's values and gradients are from the naive ones."""
    with use_backends(**({name: backend} if name in TABLE else {})):
        return largest_difference(contest)


def summary(row: dict[str, Any]) -> dict[str, Any]:
    """How many times faster than naive the fastest backend and the default are, and how near the limit."""
    ours = {key: value["median"] for key, value in row["seconds"].items() if key != "naive"}
    if not ours:
        return {}
    fastest = min(ours, key=lambda key: ours[key])
    default = row.get("default", fastest)
    naive = row["seconds"]["naive"]["median"]
    return {
        "fastest": fastest,
        "ratio": naive / ours[default] if default in ours else None,
        "limit_ratio": ours[default] / row["limit_seconds"] if default in ours else None,
    }
