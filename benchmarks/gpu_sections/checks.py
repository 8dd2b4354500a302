"""Checks: the kernels' tests, every model on the GPU against the CPU, and two runs of one seed."""

import copy
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor

from alignrec_geo.dataset import Dataset
from alignrec_geo.models import Batch, Recommender
from alignrec_geo.observer import Observer
from alignrec_geo.randomness import child_generator
from alignrec_geo.training import TrainingConfig, fit
from gpu_sections.setting import Emit, Setting, Turn, build, dataset_of, draw_batches, is_learned

LOSS_TOLERANCE, GRADIENT_TOLERANCE, TABLE_TOLERANCE = 1e-4, 1e-3, 1e-4
"""Largest relative difference between the device in float32 and the CPU in double that counts as rounding."""
OWN_ROUNDING = 4.0
"""So many times what float32 on the CPU is away from double counts too: some gradients nearly cancel, others
jump where a leaky ReLU has its kink."""
KERNEL_TESTS = "tests/kernels/triton"


def kernel_tests(setting: Setting, turn: Turn, emit: Emit) -> None:
    """Run the tests of the Triton kernels; without a GPU they run in the project's own tests, interpreted."""
    turn()
    what = f"pytest {KERNEL_TESTS}"
    if not setting.on_gpu:
        emit({"what": what, "ok": None, "note": "needs a GPU"})
        return
    if not (setting.root / KERNEL_TESTS).is_dir():
        emit({"what": what, "ok": None, "note": f"no {KERNEL_TESTS} in {setting.root}"})
        return
    options = ["-q", "-p", "no:cacheprovider", f"--confcutdir={KERNEL_TESTS}", "-m", "slow or not slow"]
    options += ["-n", "6"] if importlib.util.find_spec("xdist") else []
    done = subprocess.run(
        [sys.executable, "-m", "pytest", KERNEL_TESTS, *options],
        cwd=setting.root,
        capture_output=True,
        text=True,
        env={key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"},
    )
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    passed = re.search(r"(\d+) passed", lines[-1] if lines else "")
    emit(
        {
            "what": what,
            "ok": done.returncode == 0,
            "passed": int(passed[1]) if passed else 0,
            "failed": failed[:20],
            "note": lines[-1].strip("= ") if lines else done.stderr[-300:],
        }
    )


def parity(setting: Setting, turn: Turn, emit: Emit) -> None:
    """First-step loss terms and gradients of every model on the device against the CPU in double, dropout off.

    Models without parameters are compared by their tables.
    """
    dataset = dataset_of(setting, setting.shape)
    batch = draw_batches(dataset.interactions, setting.batch, 1, "cpu", setting.seed)[0]
    ready = False
    for name in setting.models:
        model = build(name, dataset, setting.seed)
        _drop_nothing(model)
        expected = _first_step(copy.deepcopy(model).double(), batch, setting.seed)
        float32 = _first_step(model, batch, setting.seed)
        if not ready:
            turn()
            ready = True
        model.to(setting.device)
        found = _first_step(model, batch.to(torch.device(setting.device)), setting.seed)
        differences = {key: _relative(found[key], value) for key, value in expected.items()}
        terms = {key: value for key, value in differences.items() if key.startswith("loss ")}
        gradients = {key: value for key, value in differences.items() if key.startswith("gradient ")}
        own = {key: _relative(float32[key], expected[key]) for key in gradients}
        tables = {key: value for key, value in differences.items() if key.startswith("table ")}
        worst = max(gradients, key=lambda key: gradients[key], default=None)
        emit(
            {
                "what": name,
                "ok": max(terms.values(), default=0.0) <= LOSS_TOLERANCE
                and all(gradients[key] <= max(GRADIENT_TOLERANCE, OWN_ROUNDING * own[key]) for key in gradients)
                and max(tables.values(), default=0.0) <= TABLE_TOLERANCE
                and found.keys() == expected.keys(),
                "loss": max(terms.values(), default=None),
                "gradient": max(gradients.values(), default=None),
                "gradient_in_float32_on_cpu": max(own.values(), default=None),
                "tables": max(tables.values(), default=None),
                "worst": worst,
            }
        )


def repeats(setting: Setting, turn: Turn, emit: Emit) -> None:
    """Two runs of one seed of every model: the same losses and the same tables, bit for bit."""
    dataset = dataset_of(setting, setting.small_shape)
    turn()
    for name in setting.models:
        runs = [_short_run(name, dataset, setting) for _ in range(2)]
        same = all(torch.equal(a, b) for a, b in zip(runs[0], runs[1], strict=True))
        apart = max(_largest(a - b) for a, b in zip(runs[0], runs[1], strict=True))
        emit({"what": name, "ok": same, "largest_difference": apart})


def _short_run(name: str, dataset: Dataset, setting: Setting) -> list[Tensor]:
    model = build(name, dataset, setting.seed)
    config = TrainingConfig(epochs=2, batch_size=setting.batch, device=setting.device)
    losses: list[float] = []

    class Losses(Observer):
        def epoch_done(self, record: Any) -> None:
            losses.extend(record["loss"].values())

    result = fit(model, dataset, config, seed=setting.seed, test=False, observers=[Losses()])
    return [*result.embeddings, torch.tensor(losses, dtype=torch.float64)]


def _largest(difference: Tensor) -> float:
    return float(difference.abs().max()) if difference.numel() else 0.0


def _drop_nothing(model: Recommender) -> None:
    for part in model.modules():
        if "dropout" in type(part).__name__.lower() and hasattr(part, "p"):
            cast(Any, part).p = 0.0


def _first_step(model: Recommender, batch: Batch, seed: int) -> dict[str, Tensor]:
    """Terms and gradients of the first step, or tables where there is nothing to train, in double on the CPU."""
    if not is_learned(model):
        return {f"table {name}": table.cpu().double() for name, table in zip("UI", model.embeddings(), strict=True)}
    model.train()
    model.zero_grad()
    model.start_epoch(0, child_generator(seed, "model"))
    terms = model.loss(batch)
    torch.stack([term.reshape(()) for term in terms.values()]).sum().backward()
    values = {f"loss {name}": term.detach().cpu().double() for name, term in terms.items()}
    gradients = {f"gradient of {name}": value.cpu().double() for name, value in _gradients(model)}
    return {**values, **gradients}


def _gradients(model: Recommender) -> Iterator[tuple[str, Tensor]]:
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            yield name, parameter.grad.detach()


def _relative(value: Tensor, expected: Tensor) -> float:
    return float((value - expected).norm() / expected.norm().clamp(min=1e-30))
