"""The training step: AlignRec's against the naive one and the GPU's own limit, and every model's eager and captured."""

from dataclasses import replace
from typing import Any

from harness.measure import Timing
from harness.naive import check_same
from harness.step_cost import StepShape, alignrec_step, step_limit

from alignrec_geo.dataset.interactions import Split
from alignrec_geo.graph.hetero import SIMILAR
from gpu_sections.clock import Clock, in_turn, measure_rates, peak_gb, reset_peak
from gpu_sections.setting import (
    Emit,
    Setting,
    Turn,
    alignrec,
    dataset_of,
    draw_batches,
    graph_of,
    learned_models,
    naive,
)
from gpu_sections.steppers import naive_stepper, stepper

BATCHES = 8
"""Batches that take turns, so that no contestant steps on the same rows again and again."""


def alignrec_steps(setting: Setting, turn: Turn, emit: Emit) -> None:
    """AlignRec's step with trainable and with frozen features: captured, eager, naive."""
    dataset = dataset_of(setting, setting.shape)
    graph, pairs = graph_of(dataset), dataset.interactions
    similar = graph[SIMILAR].edge_index.shape[1]
    train = len(pairs.of(Split.TRAIN))
    sizes = StepShape(pairs.n_users, pairs.n_items, train, similar, setting.shape.width, setting.batch)
    kinds = {kind: [alignrec(graph, kind == "trainable", setting.seed) for _ in range(2)] for kind in KINDS}
    twins = {kind: naive(models[0], "cpu") for kind, models in kinds.items()}
    turn()
    rates = measure_rates(setting.device, setting.quick)
    batches = draw_batches(pairs, setting.batch, BATCHES, setting.device, setting.seed)
    for kind, (captured, eager) in kinds.items():
        twin = twins[kind].to(setting.device)
        eager.to(setting.device)
        costs = alignrec_step(replace(sizes, trainable=kind == "trainable"))
        limit = step_limit(costs, rates)
        row: dict[str, Any] = {"what": f"AlignRec step, {kind} features", "limit_seconds": limit}
        row["gflop"] = sum(cost.flops for cost in costs) / 1e9
        row["gb"] = sum(cost.bytes for cost in costs) / 1e9
        row["rates"] = rates.as_json()
        try:
            row["difference_from_naive"] = check_same(eager, twin, batches[0])
        except AssertionError as error:
            row["difference_from_naive"] = str(error)
        calls = {"naive": naive_stepper(twin)}
        for name, model in (("eager", eager), ("captured", captured)):
            try:
                calls[name] = stepper(model, setting, name == "captured", batches[0])
            except Exception as error:
                row[f"{name}_failed"] = one_line(error)
        peaks = {}
        for name, call in calls.items():
            reset_peak(setting.device)
            call(batches[0])
            peaks[name] = peak_gb(setting.device)
        times = Clock(setting.device).compare(
            {name: in_turn(call, batches) for name, call in calls.items()}, setting.rounds
        )
        emit({**row, "peak_gb": peaks, **ratios(times, limit)})


def model_steps(setting: Setting, turn: Turn, emit: Emit) -> None:
    """The step of every model that trains, eager and captured."""
    dataset = dataset_of(setting, setting.shape)
    models, twins = learned_models(setting, dataset), learned_models(setting, dataset)
    turn()
    batches = draw_batches(dataset.interactions, setting.batch, BATCHES, setting.device, setting.seed)
    for name, eager in models.items():
        row: dict[str, Any] = {"what": name}
        calls = {}
        for kind, model in (("eager", eager), ("captured", twins[name])):
            try:
                reset_peak(setting.device)
                calls[kind] = stepper(model, setting, kind == "captured", batches[0])
                row[f"{kind}_peak_gb"] = peak_gb(setting.device)
            except Exception as error:
                row[f"{kind}_failed"] = one_line(error)
        times = Clock(setting.device).compare(
            {kind: in_turn(call, batches) for kind, call in calls.items()}, setting.rounds
        )
        emit({**row, **ratios(times)})
        eager.to("cpu")
        twins[name].to("cpu")


KINDS = ("trainable", "frozen")


def ratios(times: dict[str, Timing], limit: float | None = None) -> dict[str, Any]:
    """Seconds of every contestant, and how many times slower than the captured step (or else the eager one) each is."""
    best = times.get("captured") or times.get("eager")
    row: dict[str, Any] = {"seconds": {name: timing.as_json() for name, timing in times.items()}}
    if best is not None:
        row["ratio"] = {name: timing.median / best.median for name, timing in times.items() if timing is not best}
        if limit is not None:
            row["limit_ratio"] = best.median / limit
    return row


def one_line(error: BaseException) -> str:
    """The type and the first line of an error."""
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0] if text else ''}"[:300]
