"""The training loop: the whole path from batches to the tested model, to be read in one sitting."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError, TrainingDiverged
from alignrec_geo.evaluation.evaluator import Evaluation, Evaluator
from alignrec_geo.evaluation.protocols import Protocol
from alignrec_geo.models.base import Batch, Recommender
from alignrec_geo.randomness import child_generator
from alignrec_geo.training.checkpoint import (
    TrainingState,
    load_checkpoint,
    load_trainable,
    save_checkpoint,
    trainable_state,
)
from alignrec_geo.training.config import TrainingConfig
from alignrec_geo.training.observer import Observer, tensorboard_observer
from alignrec_geo.training.run_config import RunConfig
from alignrec_geo.training.run_folder import RunFolder
from alignrec_geo.training.sampling import TripletSampler


@dataclass(frozen=True)
class FitResult:
    """What training ended with.

    Args:
        metrics: test metrics of the chosen epoch; empty without a test split.
        validation: validation metrics of the chosen epoch; empty without a validation split.
        best_epoch: the epoch that validation chose, counted from 0.
        epochs: epochs trained.
        seconds: training and validation time, over all sessions of the run.
        embeddings: the tables of the chosen epoch.
        test: test metrics per user, ``None`` without a test split.
    """

    metrics: dict[str, float]
    validation: dict[str, float]
    best_epoch: int
    epochs: int
    seconds: float
    embeddings: Embeddings
    test: Evaluation | None


def fit(
    model: Recommender,
    dataset: Dataset | None = None,
    config: TrainingConfig | None = None,
    *,
    protocol: Protocol | str = Protocol.CLEAN,
    seed: int = 0,
    out: str | PathLike[str] | None = None,
    resume: bool = False,
    observers: Sequence[Observer] = (),
) -> FitResult:
    """Train a model, choose the epoch by validation, and test that epoch once.

    The model ends with the parameters of the chosen epoch. Without a validation split every epoch is trained and the
    last one is chosen.

    Args:
        model: any :class:`~alignrec_geo.models.Recommender`.
        dataset: what to train on; by default the data set the model was made for.
        config: settings; ``None`` takes the defaults.
        protocol: ``clean`` or ``mmrec`` (see :class:`~alignrec_geo.evaluation.Protocol`).
        seed: seed of shuffling, negatives and the model's own draws.
        out: run folder to write (see :class:`~alignrec_geo.training.run_folder.RunFolder`); ``None`` writes nothing.
        resume: continue the run in ``out`` from its last finished epoch, bit for bit on the same CPU and thread count.
        observers: told about every step and epoch.

    Raises:
        InputError: the data set cannot be trained on, or ``out`` cannot be written or continued.
        TrainingDiverged: a loss term became NaN or infinite; names the epoch and the term.

    Example:
        >>> from alignrec_geo.dataset import make_catalogue
        >>> from alignrec_geo.models import AlignRec
        >>> data = make_catalogue(n_users=60, n_items=40, image_size=16)
        >>> result = fit(AlignRec.from_dataset(data), config=TrainingConfig(epochs=2))
        >>> result.epochs
        2
    """
    data = dataset if dataset is not None else model.dataset
    if data is None:
        raise ValueError("fit needs a data set: pass one, or make the model with from_dataset")
    settings = config or TrainingConfig()
    trial = Protocol.parse(protocol)
    sampler = TripletSampler(data.interactions, settings.batch_size)
    validate = _evaluator(data, Split.VALIDATION, trial)
    folder = None if out is None else RunFolder(Path(out))
    if folder is not None:
        folder.prepare(data, RunConfig.of(model, data, settings, trial, seed), resume)
    watching = [*observers, *_tensorboard(folder, settings)]
    generators = {name: child_generator(seed, name) for name in ("sampling", "model")}
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = (
        torch.optim.Adam(parameters, lr=settings.lr, weight_decay=settings.weight_decay, fused=True)
        if parameters
        else None
    )
    state = TrainingState()
    best = {name: tensor.clone() for name, tensor in trainable_state(model).items()}
    if folder is not None:
        if resume and folder.last.exists():
            state = load_checkpoint(folder.last, model, optimizer, generators)
            best = folder.read_best() if folder.best.exists() else best
        folder.keep_epochs(state.epochs_done)

    last_epoch = settings.epochs if optimizer is not None else 0
    model.train()
    while optimizer is not None and state.epochs_done < last_epoch and state.stale <= settings.patience:
        started = time.perf_counter()
        epoch = state.epochs_done
        for group in optimizer.param_groups:
            group["lr"] = settings.lr_at(epoch)
        model.start_epoch(epoch, generators["model"])
        losses = _train_epoch(model, optimizer, sampler, generators["sampling"], epoch, watching)
        state.epochs_done = epoch + 1
        record: dict[str, Any] = {"epoch": epoch, "loss": losses, "lr": settings.lr_at(epoch)}
        tables: Embeddings | None = None
        improved = validate is None
        if validate is not None and (state.epochs_done % settings.eval_every == 0 or state.epochs_done == last_epoch):
            tables = model.embeddings()
            metrics = validate(tables).metrics
            record["validation"] = metrics
            improved = metrics[settings.metric] > state.best_value
            state.stale = 0 if improved else state.stale + 1
            state.best_value = max(state.best_value, metrics[settings.metric])
        if improved:
            state.best_epoch = epoch
            best = {name: tensor.clone() for name, tensor in trainable_state(model).items()}
        state.seconds += time.perf_counter() - started
        record["seconds"] = round(time.perf_counter() - started, 4)
        if folder is not None:
            folder.log(record)
            if improved:
                folder.write_best(best, tables or model.embeddings())
            save_checkpoint(folder.last, state, model, optimizer, generators)
        for observer in watching:
            observer.epoch_done(record)

    load_trainable(model, best)
    tables = model.embeddings()
    test = _evaluator(data, Split.TEST, trial)
    tested = None if test is None else test(tables)
    result = FitResult(
        metrics={} if tested is None else tested.metrics,
        validation={} if validate is None else validate(tables).metrics,
        best_epoch=state.best_epoch,
        epochs=state.epochs_done,
        seconds=state.seconds,
        embeddings=tables,
        test=tested,
    )
    if folder is not None:
        _write_result(folder, result, trial, data, best)
    return result


def _train_epoch(
    model: Recommender,
    optimizer: torch.optim.Optimizer,
    sampler: TripletSampler,
    generator: torch.Generator,
    epoch: int,
    observers: Sequence[Observer],
) -> dict[str, float]:
    """Make one optimiser step per batch and return the mean of every loss term."""
    for observer in observers:
        observer.epoch_started(epoch, sampler.steps)
    totals: dict[str, float] = {}
    for batch in sampler.epoch(generator):
        terms = _step(model, optimizer, batch, epoch)
        for name, value in terms.items():
            totals[name] = totals.get(name, 0.0) + value
        for observer in observers:
            observer.step_done(terms)
    return {name: value / sampler.steps for name, value in totals.items()}


def _step(model: Recommender, optimizer: torch.optim.Optimizer, batch: Batch, epoch: int) -> dict[str, float]:
    terms = model.loss(batch)
    values = {name: float(term.detach()) for name, term in terms.items()}
    for name, value in values.items():
        if not abs(value) < float("inf"):
            raise TrainingDiverged(
                f"loss term '{name}' became {value} in epoch {epoch}; the state before this epoch is kept. "
                "Try a lower learning rate (--set lr=…) or look at the features' scale"
            )
    optimizer.zero_grad()
    _sum(terms).backward()
    optimizer.step()
    return values


def _sum(terms: Mapping[str, Tensor]) -> Tensor:
    return torch.stack([term.reshape(()) for term in terms.values()]).sum()


def _evaluator(dataset: Dataset, split: Split, protocol: Protocol) -> Evaluator | None:
    """The evaluator of a split, ``None`` where the split holds nobody to evaluate."""
    try:
        return Evaluator(dataset.interactions, split, protocol)
    except InputError:
        return None


def _tensorboard(folder: RunFolder | None, config: TrainingConfig) -> list[Observer]:
    if folder is None or not config.tensorboard:
        return []
    observer = tensorboard_observer(folder.path / "tensorboard")
    return [] if observer is None else [observer]


def _write_result(
    folder: RunFolder, result: FitResult, protocol: Protocol, dataset: Dataset, best: Mapping[str, Tensor]
) -> None:
    folder.write_best(best, result.embeddings)
    content = {
        "metrics": result.metrics,
        "protocol": protocol.value,
        "split": Split.TEST.label,
        "validation": result.validation,
        "best_epoch": result.best_epoch,
        "epochs": result.epochs,
        "seconds": round(result.seconds, 2),
    }
    folder.write_result(content, None if result.test is None else result.test.frame(dataset.users["id"]))
