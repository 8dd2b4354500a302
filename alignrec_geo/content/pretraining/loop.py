"""The loop of stage 1: mask, predict, step; one checkpoint per epoch."""

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from alignrec_geo.checkpoint import TrainingState, load_checkpoint, save_checkpoint
from alignrec_geo.content.pretraining.loss_sums import LossSums
from alignrec_geo.content.pretraining.prefetch import prefetched
from alignrec_geo.content.pretraining.task import PretrainTask
from alignrec_geo.content.throughput import Throughput
from alignrec_geo.errors import InputError
from alignrec_geo.files import atomic_path
from alignrec_geo.json_text import as_object, parse_json
from alignrec_geo.memory import enough_memory
from alignrec_geo.observer import Observer, start_observers
from alignrec_geo.randomness import child_generator
from alignrec_geo.reading import check_plain_file, reading
from alignrec_geo.settings import Settings
from alignrec_geo.typing import Int64

LAST, HISTORY = "last.safetensors", "metrics.jsonl"


class PretrainConfig(Settings):
    """Settings of the loop."""

    epochs: int = Field(default=20, ge=0)
    """Passes over the items; 0 only encodes (with a checkpoint that is trained already)."""
    batch_size: int = Field(default=64, ge=2)
    """Items per step."""
    lr: float = Field(default=1e-3, gt=0.0)
    """Highest learning rate of AdamW, reached after the warm-up; then a cosine down to 0."""
    warmup: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Share of the steps in which the learning rate rises from 0."""
    weight_decay: float = Field(default=0.05, ge=0.0)
    """Decoupled weight decay of matrices; vectors (biases, norms) have none."""
    clip: float = Field(default=1.0, gt=0.0)
    """Largest norm of all gradients together."""
    held_out: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Share of the items that are not trained on and tell whether the objective learns."""
    eval_every: int = Field(default=5, ge=1)
    """Epochs between two measurements on the held-out items; the last epoch always has one."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the matrix products in training; ``auto`` is bfloat16 where the machine has units for it (a GPU, AMX)."""

    def lr_at(self, step: int, steps: int) -> float:
        """Learning rate of a step, counted from 0, of all ``steps``."""
        rise = self.warmup * steps
        if step < rise:
            return self.lr * (step + 1) / rise
        return self.lr * 0.5 * (1.0 + math.cos(math.pi * (step - rise) / max(steps - rise, 1)))


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """The context that losses are computed in; see :attr:`PretrainConfig.precision`."""
    if precision == "auto":
        fast = torch.cuda.is_bf16_supported() if device.type == "cuda" else torch.cpu._is_amx_tile_supported()
    else:
        fast = precision == "bfloat16"
    return torch.autocast(device.type, torch.bfloat16, enabled=fast)


class PretrainResult(NamedTuple):
    """How it went."""

    history: list[dict[str, Any]]
    """One record per epoch: ``epoch``, ``seconds``, ``loss`` by term, and where measured ``held_out`` by prediction."""
    held_out: Int64
    """Item rows that were not trained on."""
    seconds: float
    """Training time, over all sessions."""


def pretrain(
    task: PretrainTask,
    config: PretrainConfig,
    seed: int,
    folder: Path,
    resume: bool = False,
    observers: Iterable[Observer] = (),
    settle: Callable[[], Path] | None = None,
) -> PretrainResult:
    """Train ``task.model``; every finished epoch is saved in ``folder``.

    A run that was cut off and is resumed ends with the same weights as one that was not: masks and order of an epoch
    depend on the seed and the epoch's number only.

    Args:
        task: what is trained.
        config: settings of the loop.
        seed: of order, masks, dropout and the held-out items.
        folder: gets ``last.safetensors`` and ``metrics.jsonl``.
        resume: go on where ``folder`` stands, if there is something.
        observers: told of every step and epoch.
        settle: called when the first epoch is saved; returns where ``folder`` is from then on.

    Raises:
        InputError: too few items, or the checkpoint does not fit.
        TrainingDiverged: the loss is not finite.
    """
    trained, held_out = hold_out(task.items, config.held_out, seed)
    if config.epochs and len(trained) < 2:
        raise InputError(f"pre-training needs at least 2 items that have two modalities (got {len(trained)})")
    optimizer = _adamw(task.model, config)
    state, history = TrainingState(), list[dict[str, Any]]()
    if resume and (folder / LAST).exists():
        state = load_checkpoint(folder / LAST, task.model, optimizer, {})
        history = _read_history(folder / HISTORY)[: state.epochs_done]
        if len(history) < state.epochs_done:  # it is written first, so a kill cannot leave this
            raise InputError(f"{folder / HISTORY}: {len(history)} epochs, the checkpoint has {state.epochs_done}")
    per_epoch = math.ceil(len(trained) / config.batch_size)
    trainable = [parameter for parameter in task.model.parameters() if parameter.requires_grad]
    facts = {
        "items": len(trained),
        "held_out": len(held_out),
        "parameters": sum(parameter.numel() for parameter in trainable),
        "device": str(trainable[0].device),
        "epochs": config.epochs,
    }
    start_observers(observers, facts)
    for epoch in range(state.epochs_done, config.epochs):
        started = time.perf_counter()
        for observer in observers:
            observer.epoch_started(epoch, per_epoch)
        counted = Throughput("items")
        with counted.running(), enough_memory("pre-training", lower="batch_size"):
            terms = _train_epoch(task, optimizer, config, trained, epoch, seed, observers, counted)
        record: dict[str, Any] = {"epoch": epoch, "loss": terms}
        if counted.busy is not None:
            record |= {"items_per_second": round(counted.per_second, 1), "gpu_busy": round(counted.busy, 3)}
        if len(held_out) and ((epoch + 1) % config.eval_every == 0 or epoch + 1 == config.epochs):
            record["held_out"] = task.held_out(held_out, child_generator(seed, "held-out masks"))
        state.epochs_done += 1
        state.seconds += time.perf_counter() - started
        record["seconds"] = round(time.perf_counter() - started, 3)
        history.append(record)
        _write_history(folder / HISTORY, history)
        save_checkpoint(folder / LAST, state, task.model, optimizer, {})
        if settle is not None:
            folder, settle = settle(), None
        for observer in observers:
            observer.epoch_done(record)
    return PretrainResult(history, held_out, state.seconds)


def hold_out(items: Int64, share: float, seed: int) -> tuple[Int64, Int64]:
    """Part the items into those to train on and those held out, both sorted.

    Example:
        >>> import numpy as np
        >>> [len(part) for part in hold_out(np.arange(20), 0.1, seed=0)]
        [18, 2]
    """
    order = torch.randperm(len(items), generator=child_generator(seed, "held-out")).numpy()
    count = round(share * len(items))
    return np.sort(items[order[count:]]), np.sort(items[order[:count]])


def _train_epoch(
    task: PretrainTask,
    optimizer: torch.optim.Optimizer,
    config: PretrainConfig,
    items: Int64,
    epoch: int,
    seed: int,
    observers: Iterable[Observer],
    counted: Throughput,
) -> dict[str, float]:
    """One pass; returns the mean of every loss term."""
    generator = child_generator(seed, f"pre-training epoch {epoch}")
    parts = list(_batches(items, config.batch_size, generator))
    device = next(task.model.parameters()).device
    batches = prefetched((task.batch(part, generator) for part in parts), device)
    losses = LossSums(epoch, device)
    task.model.train()
    for number, (part, batch) in enumerate(zip(parts, batches, strict=True)):
        for group in optimizer.param_groups:
            group["lr"] = config.lr_at(epoch * len(parts) + number, config.epochs * len(parts))
        with counted.encoding(len(part), device):
            with autocast(config.precision, device):
                terms = task.loss(batch)
            total = losses.add(terms)
            optimizer.zero_grad(set_to_none=True)
            total.backward()
            nn.utils.clip_grad_norm_(task.model.parameters(), config.clip)
            optimizer.step()
        for observer in observers:
            observer.step_done(losses.shown)
    return losses.means()


def _batches(items: Int64, size: int, generator: torch.Generator) -> Iterator[Int64]:
    """The items in a new order, in batches of nearly equal size."""
    order = torch.randperm(len(items), generator=generator).numpy()
    yield from np.array_split(items[order], math.ceil(len(items) / size))


def _adamw(model: nn.Module, config: PretrainConfig) -> torch.optim.AdamW:
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    decayed: list[Tensor] = [parameter for parameter in trained if parameter.dim() > 1]
    others: list[Tensor] = [parameter for parameter in trained if parameter.dim() <= 1]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    fused = True if any(parameter.is_cuda for parameter in trained) else None
    return torch.optim.AdamW(groups, lr=config.lr, betas=(0.9, 0.98), fused=fused)


def _write_history(path: Path, history: list[dict[str, Any]]) -> None:
    with atomic_path(path) as staging:
        staging.write_text("".join(json.dumps(record) + "\n" for record in history), encoding="utf-8")


def _read_history(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    check_plain_file(path, "log of epochs")
    with reading(path, "log of epochs"):
        lines = path.read_text(encoding="utf-8").splitlines()
    labels = [f"{path}, line {number}" for number in range(1, len(lines) + 1)]
    return [as_object(parse_json(line, label), label) for line, label in zip(lines, labels, strict=True)]
