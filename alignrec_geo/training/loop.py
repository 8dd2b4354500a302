"""The training loop: the whole path from batches to the tested model, to be read in one sitting."""

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

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
from alignrec_geo.evaluation.evaluator import Evaluation, Evaluator, counted_users
from alignrec_geo.evaluation.metrics import (
    ALWAYS,
    CUTOFFS,
    DEFAULT,
    TESTED,
    choose_metrics,
    listed_metrics,
    require_content,
)
from alignrec_geo.evaluation.protocols import Protocol
from alignrec_geo.kernels.allocator import keep_freed_memory
from alignrec_geo.kernels.backends import check_backends, use_backends
from alignrec_geo.kernels.config import KernelConfig
from alignrec_geo.memory import enough_memory
from alignrec_geo.models.base import Recommender
from alignrec_geo.notebook import metrics_table
from alignrec_geo.observer import Observer
from alignrec_geo.randomness import child_generator, seeded
from alignrec_geo.settings import Settings, checked
from alignrec_geo.training.captured_step import make_step
from alignrec_geo.training.config import TrainingConfig
from alignrec_geo.training.optimizer import make_optimizer, set_learning_rate
from alignrec_geo.training.run_config import RunConfig
from alignrec_geo.training.run_folder import RunFolder
from alignrec_geo.training.sampling import TripletSampler
from alignrec_geo.training.tensorboard import tensorboard_observer

Config = TypeVar("Config", bound=Settings)
OBSERVED = ("epoch_started", "step_done", "epoch_done")
"""What an observer is told."""


VALIDATION, LAST_EPOCH, UNTRAINED = "validation", "last epoch", "nothing to train"
"""What chose the epoch."""


@dataclass(frozen=True)
class FitResult:
    """What training ended with.

    Args:
        metrics: test metrics of the chosen epoch; empty without a test split, or if it was not to be looked at.
        validation: validation metrics of the chosen epoch; empty without a validation split.
        best_epoch: the epoch that was chosen, counted from 0; -1 where there is nothing to train.
        epochs: epochs trained.
        seconds: training and validation time, over all sessions of the run.
        embeddings: the tables of the chosen epoch.
        test: test metrics per user, ``None`` where ``metrics`` is empty.
        chosen_by: ``validation``; ``last epoch`` where there was nobody to validate on; ``nothing to train``.
    """

    metrics: dict[str, float]
    validation: dict[str, float]
    best_epoch: int
    epochs: int
    seconds: float
    embeddings: Embeddings
    test: Evaluation | None
    chosen_by: str = VALIDATION

    def __repr__(self) -> str:
        """What one asks first; the tables are thousands of numbers."""
        shown = {name: round(self.metrics[name], 4) for name in TESTED if name in self.metrics}
        return f"FitResult({shown}, epoch {self.best_epoch + 1} of {self.epochs}, {self.seconds:.1f} s)"

    def _repr_html_(self) -> str:
        title = f"epoch {self.best_epoch + 1} of {self.epochs}, chosen by {self.chosen_by}, {self.seconds:.1f} s"
        return metrics_table(self.metrics or self.validation, f"{'test' if self.metrics else 'validation'}: {title}")


def fit(
    model: Recommender,
    dataset: Dataset | None = None,
    config: TrainingConfig | Mapping[str, Any] | None = None,
    *,
    kernels: KernelConfig | Mapping[str, Any] | None = None,
    protocol: Protocol | str = Protocol.CLEAN,
    seed: int = 0,
    out: str | PathLike[str] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    test: bool = True,
    metrics: Any = None,
    observers: Observer | Iterable[Observer] = (),
) -> FitResult:
    """Train a model, choose the epoch by validation, and test that epoch once.

    The model ends with the parameters of the chosen epoch. Where the validation split holds nobody with a training
    interaction, ``epochs`` must be set: so many are trained, and the last one is chosen.

    Args:
        model: any :class:`~alignrec_geo.models.Recommender`.
        dataset: what to train on; by default the data set the model was made for.
        config: settings, as an object or a dictionary of those that are not the model's defaults.
        kernels: which backend runs each operation; ``None`` takes the best for the device.
        protocol: ``clean`` or ``mmrec`` (see :class:`~alignrec_geo.evaluation.Protocol`).
        seed: seed of shuffling, negatives and the model's own draws.
        out: run folder to write (see :class:`~alignrec_geo.training.run_folder.RunFolder`); ``None`` writes nothing.
        resume: continue the run in ``out`` from its last finished epoch, bit for bit on the same CPU and thread count.
        overwrite: replace a run in ``out``, once everything has been checked.
        test: rank the test split at the end; without it nothing of that split is looked at.
        metrics: what the test measures, names or :class:`~alignrec_geo.evaluation.metrics.Metric` objects, beside
            Recall and NDCG; ``None`` takes those of ``config``.
        observers: told about every step and epoch.

    Raises:
        InputError: an argument is of a wrong kind, the data set cannot be trained on, early stopping has nobody to
            validate on, ``out`` cannot be written or continued, or memory ran out.
        TrainingDiverged: a loss term became NaN or infinite; names the epoch and the term.

    Example:
        >>> from alignrec_geo.dataset import make_catalogue
        >>> from alignrec_geo.models import AlignRec
        >>> data = make_catalogue(n_users=60, n_items=40, image_size=16)
        >>> result = fit(AlignRec.from_dataset(data), config=TrainingConfig(epochs=2))
        >>> result.epochs
        2
    """
    data = _dataset(model, dataset)
    settings = _settings(TrainingConfig, config, model.config.training_defaults)
    backends = _settings(KernelConfig, kernels)
    listening = _observers(observers)
    child_generator(seed, "sampling")  # refuses what is no seed before anything is written
    trial = Protocol.parse(protocol)
    device = settings.torch_device()
    with use_backends(**backends.model_dump()):
        check_backends(device)
    if out is not None and not isinstance(out, str | PathLike):
        raise InputError(f"out takes the path of a folder (got {out!r:.80})")
    if resume and out is None:
        raise InputError("resume continues the run in a folder; name it with out=")
    sampler = TripletSampler(data.interactions, settings.batch_size, device)
    measured = [*ALWAYS, *listed_metrics(settings.metrics if metrics is None else metrics)]
    require_content(data, choose_metrics([*measured, settings.metric], CUTOFFS))
    validate = _evaluator(data, Split.VALIDATION, trial, [*DEFAULT, settings.metric])
    if validate is None and has_parameters(model) and "epochs" not in settings.model_fields_set:
        raise InputError(
            f"the validation split of data set '{data.name}' has no user with a training interaction, so nothing can "
            "choose the epoch; set the number of epochs (training.epochs) to train so many and take the last, or use "
            "another split"
        )
    folder = None if out is None else RunFolder(Path(out))
    wanted = RunConfig.of(model, data, settings, backends, trial, seed)
    opened = nullcontext() if folder is None else folder.writing(data, wanted, resume, overwrite)
    watching = [*listening, *_tensorboard(folder, settings)]
    keep_freed_memory()
    model.to(device)
    with opened, use_backends(**backends.model_dump()), enough_memory("training"):
        run = _Run(model, settings, sampler, validate, folder, watching, seed)
        if folder is not None:
            run.prepare_folder(folder, resume)
        model.train()
        while run.should_continue():
            run.epoch()
        load_trainable(model, run.best)
        tables = Embeddings(*(table.cpu() for table in model.embeddings()))
        tester = _evaluator(data, Split.TEST, trial, measured) if test else None
        tested = None if tester is None else tester(tables)
        result = FitResult(
            metrics={} if tested is None else tested.metrics,
            validation={} if validate is None else validate(tables).metrics,
            best_epoch=run.state.best_epoch,
            epochs=run.state.epochs_done,
            seconds=run.state.seconds,
            embeddings=tables,
            test=tested,
            chosen_by=UNTRAINED if run.optimizer is None else LAST_EPOCH if validate is None else VALIDATION,
        )
        if folder is not None:
            validated = 0 if validate is None else len(validate.users)
            _write_result(folder, result, trial, data, run.best, validated)
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
        self.optimizer = make_optimizer(model, config)
        loss = torch.compile(model.loss) if config.compile else None
        self.step = None if self.optimizer is None else make_step(model, self.optimizer, loss, config.capture)
        self.state = TrainingState()
        self.best = _copy(trainable_state(model))

    def prepare_folder(self, folder: RunFolder, resume: bool) -> None:
        """Take up the checkpoint, if there is one to continue from."""
        if resume and folder.last.exists():
            self.state = load_checkpoint(folder.last, self.model, self.optimizer, self.generators)
            self.best = folder.read_best() if folder.best.exists() else self.best
        folder.keep_epochs(self.state.epochs_done)

    def should_continue(self) -> bool:
        """Whether another epoch is due."""
        due = self.state.epochs_done < self.config.epochs and self.state.stale <= self.config.patience
        return self.optimizer is not None and due

    def epoch(self) -> None:
        """Train one epoch, validate, keep it if it is the best so far, save."""
        started = time.perf_counter()
        state, config, epoch = self.state, self.config, self.state.epochs_done
        assert self.optimizer is not None
        lr = config.lr_at(epoch)
        set_learning_rate(self.optimizer, lr)
        self.model.start_epoch(epoch, self.generators["model"])
        losses = self.train(epoch)
        state.epochs_done = epoch + 1
        record: dict[str, Any] = {"epoch": epoch, "loss": losses, "lr": lr}
        tables: Embeddings | None = None
        improved = self.validate is None
        if self.validate is not None and (state.epochs_done % config.eval_every == 0 or not self.should_continue()):
            tables = self.tables(epoch)
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
                self.folder.write_best(self.best, tables or self.tables(epoch))
            save_checkpoint(self.folder.last, state, self.model, self.optimizer, self.generators)
            self.folder.settle()
        for observer in self.observers:
            observer.epoch_done(record)

    def tables(self, epoch: int) -> Embeddings:
        """The model's tables, which must be finite."""
        tables = self.model.embeddings()
        if not all(bool(torch.isfinite(table).all()) for table in tables):
            raise TrainingDiverged(
                f"the tables hold NaN or infinity after epoch {epoch}; the state before this epoch is kept. "
                "Try a lower learning rate (lr=…) or look at the features' scale"
            )
        return tables

    def train(self, epoch: int) -> dict[str, float]:
        """Make one optimiser step per batch and return the mean of every loss term."""
        assert self.step is not None
        for observer in self.observers:
            observer.epoch_started(epoch, self.sampler.steps)
        self.step.start(epoch)
        # layers of other people draw their dropout from the global generators
        with seeded(child_generator(self.seed, f"layers in epoch {epoch}"), self.step.device):
            for batch in self.sampler.epoch(self.generators["sampling"]):
                terms = self.step.run(batch)
                for observer in self.observers:
                    observer.step_done(terms)
        return self.step.means()


def _copy(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def has_parameters(model: torch.nn.Module) -> bool:
    """Whether there is anything to train."""
    return any(parameter.requires_grad for parameter in model.parameters())


def _dataset(model: Any, dataset: Any) -> Dataset:
    """The data set to train on, which must have the model's users and items."""
    if not isinstance(model, Recommender):
        raise InputError(f"fit trains a model, a Recommender (got {model!r:.80})")
    data = dataset if dataset is not None else model.dataset
    if data is None:
        raise InputError("fit needs a data set: pass one, or make the model with from_dataset")
    if not isinstance(data, Dataset):
        hint = "; open it with Dataset.open(…)" if isinstance(data, str | PathLike) else ""
        raise InputError(f"fit takes a Dataset{hint} (got {data!r:.80})")
    ours, theirs = data.counts(), [getattr(model, name, None) for name in ("n_users", "n_items")]
    for kind, count in zip(("users", "items"), theirs, strict=True):
        if isinstance(count, int) and count != ours[kind]:
            raise InputError(f"the model is of {count} {kind}, data set '{data.name}' has {ours[kind]}")
    return data


def _settings(kind: type[Config], given: Any, defaults: Mapping[str, Any] | None = None) -> Config:
    if given is None or isinstance(given, Mapping):
        return checked(kind, {**(defaults or {}), **({} if given is None else {str(key): given[key] for key in given})})
    if isinstance(given, kind):
        return given
    raise InputError(f"fit takes settings as {kind.__name__} or a dictionary (got {given!r:.80})")


def _observers(observers: Any) -> list[Observer]:
    listening = list(observers) if isinstance(observers, Iterable) else [observers]
    for observer in listening:
        if isinstance(observer, type) or not all(hasattr(observer, name) for name in OBSERVED):
            raise InputError(f"an observer has the methods {', '.join(OBSERVED)} (got {observer!r:.80})")
    return listening


def _evaluator(dataset: Dataset, split: Split, protocol: Protocol, metrics: list[Any]) -> Evaluator | None:
    """The evaluator of a split, ``None`` where the split holds nobody to evaluate."""
    there = len(counted_users(dataset.interactions, split)) > 0
    return Evaluator(dataset, split, protocol, metrics=metrics) if there else None


def _tensorboard(folder: RunFolder | None, config: TrainingConfig) -> list[Observer]:
    if folder is None or not config.tensorboard:
        return []
    observer = tensorboard_observer(lambda: folder.path / "tensorboard")
    return [] if observer is None else [observer]


def _write_result(
    folder: RunFolder,
    result: FitResult,
    protocol: Protocol,
    dataset: Dataset,
    best: Mapping[str, Tensor],
    validated: int,
) -> None:
    folder.write_best(best, result.embeddings)
    content = {
        "metrics": result.metrics,
        "protocol": protocol.value,
        "split": Split.TEST.label,
        "validation": result.validation,
        "chosen_by": result.chosen_by,
        "best_epoch": result.best_epoch,
        "users": {"validation": validated, "test": 0 if result.test is None else len(result.test.users)},
        "epochs": result.epochs,
        "seconds": round(result.seconds, 2),
    }
    folder.write_result(content, None if result.test is None else result.test.frame(dataset.users["id"]))
