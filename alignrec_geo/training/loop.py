"""The training loop: the whole path from batches to the tested model, to be read in one sitting."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from alignrec_geo.checkpoint import (
    TrainingState,
    load_checkpoint,
    load_trainable,
    save_checkpoint,
    trainable_state,
)
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError, TrainingDiverged
from alignrec_geo.evaluation.evaluator import Evaluation, Evaluator
from alignrec_geo.evaluation.protocols import Protocol
from alignrec_geo.kernels.allocator import keep_freed_memory
from alignrec_geo.kernels.backends import check_backends, use_backends
from alignrec_geo.kernels.config import KernelConfig
from alignrec_geo.models.base import Batch, Recommender
from alignrec_geo.nn.seeded import seeded
from alignrec_geo.randomness import child_generator
from alignrec_geo.training.config import TrainingConfig
from alignrec_geo.training.observer import Observer, tensorboard_observer
from alignrec_geo.training.run_config import RunConfig
from alignrec_geo.training.run_folder import RunFolder
from alignrec_geo.training.sampling import TripletSampler


@dataclass(frozen=True)
class FitResult:
    """What training ended with.

    Args:
        metrics: test metrics of the chosen epoch; empty without a test split, or if it was not to be looked at.
        validation: validation metrics of the chosen epoch; empty without a validation split.
        best_epoch: the epoch that validation chose, counted from 0.
        epochs: epochs trained.
        seconds: training and validation time, over all sessions of the run.
        embeddings: the tables of the chosen epoch.
        test: test metrics per user, ``None`` where ``metrics`` is empty.
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
    kernels: KernelConfig | None = None,
    protocol: Protocol | str = Protocol.CLEAN,
    seed: int = 0,
    out: str | PathLike[str] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    test: bool = True,
    observers: Sequence[Observer] = (),
) -> FitResult:
    """Train a model, choose the epoch by validation, and test that epoch once.

    The model ends with the parameters of the chosen epoch. Without a validation split every epoch is trained and the
    last one is chosen.

    Args:
        model: any :class:`~alignrec_geo.models.Recommender`.
        dataset: what to train on; by default the data set the model was made for.
        config: settings; ``None`` takes the model's defaults.
        kernels: which backend runs each operation; ``None`` takes the best for the device.
        protocol: ``clean`` or ``mmrec`` (see :class:`~alignrec_geo.evaluation.Protocol`).
        seed: seed of shuffling, negatives and the model's own draws.
        out: run folder to write (see :class:`~alignrec_geo.training.run_folder.RunFolder`); ``None`` writes nothing.
        resume: continue the run in ``out`` from its last finished epoch, bit for bit on the same CPU and thread count.
        overwrite: replace a run in ``out``, once everything has been checked.
        test: rank the test split at the end; without it nothing of that split is looked at.
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
    settings = config or TrainingConfig(**model.config.training_defaults)
    backends = kernels or KernelConfig()
    trial = Protocol.parse(protocol)
    device = settings.torch_device()
    with use_backends(**backends.model_dump()):
        check_backends(device)
    sampler = TripletSampler(data.interactions, settings.batch_size)
    validate = _evaluator(data, Split.VALIDATION, trial)
    folder = None if out is None else RunFolder(Path(out))
    if folder is not None:
        folder.prepare(data, RunConfig.of(model, data, settings, backends, trial, seed), resume, overwrite)
    watching = [*observers, *_tensorboard(folder, settings)]
    keep_freed_memory()
    model.to(device)
    with use_backends(**backends.model_dump()):
        run = _Run(model, settings, sampler, validate, folder, watching, seed)
        if folder is not None:
            run.prepare_folder(folder, resume)
        model.train()
        while run.goes_on():
            run.epoch()
        load_trainable(model, run.best)
        tables = Embeddings(*(table.cpu() for table in model.embeddings()))
        tester = _evaluator(data, Split.TEST, trial) if test else None
        tested = None if tester is None else tester(tables)
        result = FitResult(
            metrics={} if tested is None else tested.metrics,
            validation={} if validate is None else validate(tables).metrics,
            best_epoch=run.state.best_epoch,
            epochs=run.state.epochs_done,
            seconds=run.state.seconds,
            embeddings=tables,
            test=tested,
        )
    if folder is not None:
        _write_result(folder, result, trial, data, run.best)
    return result


class _Run:
    """One training run: the optimiser, the random streams, and how far it is."""

    def __init__(
        self,
        model: Recommender,
        config: TrainingConfig,
        sampler: TripletSampler,
        validate: Evaluator | None,
        folder: RunFolder | None,
        observers: Sequence[Observer],
        seed: int,
    ) -> None:
        self.model, self.config, self.sampler = model, config, sampler
        self.validate, self.folder, self.observers, self.seed = validate, folder, observers, seed
        self.generators = {name: child_generator(seed, name) for name in ("sampling", "model")}
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.optimizer = (
            torch.optim.Adam(parameters, lr=config.lr, weight_decay=config.weight_decay, fused=True)
            if parameters
            else None
        )
        self.loss = torch.compile(model.loss) if config.compile else model.loss
        self.state = TrainingState()
        self.best = _copy(trainable_state(model))

    def prepare_folder(self, folder: RunFolder, resume: bool) -> None:
        """Take up the checkpoint, if there is one to continue from."""
        if resume and folder.last.exists():
            self.state = load_checkpoint(folder.last, self.model, self.optimizer, self.generators)
            self.best = folder.read_best() if folder.best.exists() else self.best
        folder.keep_epochs(self.state.epochs_done)

    def goes_on(self) -> bool:
        """Whether another epoch is due."""
        due = self.state.epochs_done < self.config.epochs and self.state.stale <= self.config.patience
        return self.optimizer is not None and due

    def epoch(self) -> None:
        """Train one epoch, validate, keep it if it is the best so far, save."""
        started = time.perf_counter()
        state, config, epoch = self.state, self.config, self.state.epochs_done
        assert self.optimizer is not None
        lr = config.lr_at(epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.model.start_epoch(epoch, self.generators["model"])
        losses = self.train(epoch)
        state.epochs_done = epoch + 1
        record: dict[str, Any] = {"epoch": epoch, "loss": losses, "lr": lr}
        tables: Embeddings | None = None
        improved = self.validate is None
        if self.validate is not None and (state.epochs_done % config.eval_every == 0 or not self.goes_on()):
            tables = self.model.embeddings()
            record["validation"] = metrics = self.validate(tables).metrics
            improved = metrics[config.metric] > state.best_value
            state.stale = 0 if improved else state.stale + 1
            state.best_value = max(state.best_value, metrics[config.metric])
        if improved:
            state.best_epoch = epoch
            self.best = _copy(trainable_state(self.model))
        record["seconds"] = round(time.perf_counter() - started, 4)
        state.seconds += time.perf_counter() - started
        if self.folder is not None:
            self.folder.log(record)
            if improved:
                self.folder.write_best(self.best, tables or self.model.embeddings())
            save_checkpoint(self.folder.last, state, self.model, self.optimizer, self.generators)
        for observer in self.observers:
            observer.epoch_done(record)

    def train(self, epoch: int) -> dict[str, float]:
        """Make one optimiser step per batch and return the mean of every loss term."""
        for observer in self.observers:
            observer.epoch_started(epoch, self.sampler.steps)
        device = next(self.model.parameters()).device
        totals: dict[str, float] = {}
        # layers of other people draw their dropout from the global generators
        with seeded(child_generator(self.seed, f"layers in epoch {epoch}"), device):
            for batch in self.sampler.epoch(self.generators["sampling"]):
                terms = self.step(batch.to(device), epoch)
                for name, value in terms.items():
                    totals[name] = totals.get(name, 0.0) + value
                for observer in self.observers:
                    observer.step_done(terms)
        return {name: value / self.sampler.steps for name, value in totals.items()}

    def step(self, batch: Batch, epoch: int) -> dict[str, float]:
        """Make one optimiser step and return the loss terms."""
        assert self.optimizer is not None
        terms = self.loss(batch)
        values = {name: float(term.detach()) for name, term in terms.items()}
        for name, value in values.items():
            if not math.isfinite(value):
                raise TrainingDiverged(
                    f"loss term '{name}' became {value} in epoch {epoch}; the state before this epoch is kept. "
                    "Try a lower learning rate (--set lr=…) or look at the features' scale"
                )
        self.optimizer.zero_grad()
        torch.stack([term.reshape(()) for term in terms.values()]).sum().backward()
        self.optimizer.step()
        return values


def _copy(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


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
