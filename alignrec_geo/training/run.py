"""One training run: epoch after epoch, until validation says it is enough."""

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from alignrec_geo.checkpoint import (
    TrainingState,
    load_checkpoint,
    save_checkpoint,
    trainable_state,
)
from alignrec_geo.distributed import current
from alignrec_geo.distributed.group import lost_ranks
from alignrec_geo.distributed.tables import widths_apart
from alignrec_geo.distributed.whole import align_copies
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import TrainingDiverged
from alignrec_geo.evaluation.evaluator import Evaluator
from alignrec_geo.models.base import Recommender
from alignrec_geo.models.held_out import HeldOut
from alignrec_geo.observer import Observer
from alignrec_geo.randomness import child_generator, seeded
from alignrec_geo.training.captured_step import make_step
from alignrec_geo.training.config import TrainingConfig
from alignrec_geo.training.optimizer import make_optimizer, set_learning_rate
from alignrec_geo.training.precision import use_precision
from alignrec_geo.training.run_folder import RunFolder
from alignrec_geo.training.sampling import TripletSampler
from alignrec_geo.training.step import Loss

if TYPE_CHECKING:
    from alignrec_geo.training.sampled.made import SampledTraining

logger = logging.getLogger(__name__)


class Run:
    """One training run: the optimiser, the random streams, and how far it is."""

    def __init__(
        self,
        model: Recommender,
        config: TrainingConfig,
        held_out: HeldOut,
        sampler: TripletSampler,
        validate: Evaluator | None,
        folder: RunFolder | None,
        observers: Sequence[Observer],
        seed: int,
        sampled: "SampledTraining | None" = None,
    ) -> None:
        self.model, self.config, self.held_out = model, config, held_out
        self.sampler = sampler if sampled is None else sampled.sampler
        self.rows = None if sampled is None else sampled.rows
        self.validate, self.folder, self.observers, self.seed = validate, folder, observers, seed
        self.generators = {name: child_generator(seed, name) for name in ("sampling", "model")}
        self.optimizer = make_optimizer(model, config) if self.rows is None else self.rows.optimizer
        self.saved = self.optimizer if self.rows is None else self.rows.saved  # in the form of a checkpoint
        loss: Loss | None = torch.compile(model.loss) if config.compile else None
        loss = loss if sampled is None else sampled.loss
        # ranks that could not all record a step would wait for each other forever: only where it was asked for
        capture = False if current() is not None and config.capture is None else config.capture
        self.step = None if self.optimizer is None else make_step(model, self.optimizer, loss, capture)
        self.state = TrainingState()
        self.best = _copy(trainable_state(model))
        self.widths = widths_apart(model)

    def prepare_folder(self, folder: RunFolder, resume: bool) -> None:
        """Take up the checkpoint, if there is one to continue from."""
        if resume and folder.last.exists():
            self.state = load_checkpoint(folder.last, self.model, self.saved, self.generators)
            if self.rows is not None:
                self.rows.take()
            self.best = folder.read_best(self.widths) if folder.best.exists() else self.best
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
        group = current()
        if group is not None:
            align_copies(group, self.model)
        losses = self.train(epoch)
        if self.rows is not None:
            self.rows.give()
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
                self.folder.write_best(self.best, tables or self.tables(epoch), self.widths)
            with nullcontext() if self.rows is None else self.rows.state_given():
                save_checkpoint(self.folder.last, state, self.model, self.saved, self.generators)
            self.folder.settle()
        logger.info("epoch %d: %s", epoch, record)
        for observer in self.observers:
            observer.epoch_done(record)

    def tables(self, epoch: int) -> Embeddings:
        """The model's tables, which must be finite."""
        tables = self.held_out.tables(self.model)
        finite, group = all(bool(torch.isfinite(table).all()) for table in tables), current()
        if not (finite if group is None else group.all_agree(finite, tables.users.device)):
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
        drawn = seeded(child_generator(self.seed, f"layers in epoch {epoch}"), self.step.device)
        with drawn, use_precision(self.config.precision, self.step.device), lost_ranks("a step"):
            for batch in self.sampler.epoch(self.generators["sampling"]):
                terms = self.step.run(batch)
                for observer in self.observers:
                    observer.step_done(terms)
        return self.step.means()


def _copy(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}
