"""Settings of the training loop."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from pydantic import Field, field_validator

from alignrec_geo.device import AUTO, choose_device, device_name
from alignrec_geo.evaluation.metrics import CUTOFFS, DEFAULT, choose_metrics
from alignrec_geo.settings import Settings
from alignrec_geo.training.precision import Precision
from alignrec_geo.training.tracking.choose import known_trackers


class TrainingConfig(Settings):
    """How a model is trained; the defaults are AlignRec's."""

    epochs: int = Field(default=1000, ge=1)
    """Most epochs; early stopping usually ends a run sooner."""
    batch_size: int = Field(default=2048, ge=1, lt=2**31)
    """Training triplets per step."""
    lr: float = Field(default=1e-3, gt=0.0)
    """Learning rate of Adam."""
    lr_decay: float = Field(default=0.96, gt=0.0, le=1.0)
    """The learning rate of epoch e (from 0) is ``lr * lr_decay ** (e / lr_decay_epochs)``; 1 keeps it."""
    lr_decay_epochs: float = Field(default=50.0, gt=0.0)
    """Epochs per factor ``lr_decay``."""
    weight_decay: float = Field(default=0.0, ge=0.0)
    """Adam's coupled L2 penalty on every parameter."""
    eval_every: int = Field(default=1, ge=1)
    """Epochs between validations."""
    patience: int = Field(default=30, ge=0)
    """Stop after more than this many validations in a row without an improvement."""
    metric: str = "recall@20"
    """Validation metric that chooses the epoch."""
    metrics: tuple[str, ...] = DEFAULT
    """What the test measures, by name (`mrr`, `coverage@20`); Recall and NDCG are always among it."""
    device: str = AUTO
    """Where to train: ``cpu``, ``cuda``, one GPU of several (``cuda:1``), or ``auto``: a GPU if there is one."""
    compile: bool = False
    """Compile what lies between the kernels with ``torch.compile`` (needs a C++ compiler on a CPU)."""
    capture: bool | None = None
    """Record a step as one CUDA graph; by default wherever the device is a GPU."""
    precision: Precision = "float32"
    """Of the factors of matrix products in a step: ``float32``, ``tf32`` on a GPU, or ``bf16`` on a CPU that has it."""
    num_neighbors: tuple[int, ...] | None = None
    """Neighbours drawn in each hop, -1 for all: steps see sampled subgraphs (approximate); ``null``: all of it."""
    subgraphs: int | None = Field(default=None, ge=1)
    """With ``num_neighbors``: parts of a batch, a subgraph around each, which ranks divide; by default one per rank."""
    log_to: tuple[str, ...] = ("tensorboard",)
    """Where a run is logged too: ``tensorboard`` (event files in its folder, if installed), ``mlflow``, ``wandb``."""

    renamed: ClassVar[Mapping[str, str]] = {"tensorboard": "log_to"}

    @field_validator("log_to", mode="before")
    @classmethod
    def _known_trackers(cls, value: object) -> object:
        return known_trackers(value)

    @field_validator("num_neighbors")
    @classmethod
    def _drawn(cls, value: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if value is not None and (not value or any(count != -1 and count < 1 for count in value)):
            raise ValueError("one number for each hop is needed: -1 (all neighbours) or at least 1")
        return value

    @field_validator("metric")
    @classmethod
    def _one_metric(cls, value: str) -> str:
        ((metric, cutoffs),) = choose_metrics(value, CUTOFFS)
        if "@" not in value:
            raise ValueError(f"a metric at a cutoff is needed, such as '{metric.name}@{cutoffs[0]}' (got '{value}')")
        if not metric.higher_is_better:
            raise ValueError(f"the higher '{metric.name}' the worse; a metric of quality is needed (got '{value}')")
        return value

    @field_validator("metrics")
    @classmethod
    def _known_metrics(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        choose_metrics(value, CUTOFFS)
        return value

    @field_validator("device")
    @classmethod
    def _known_device(cls, value: str) -> str:
        return device_name(value)

    def torch_device(self) -> torch.device:
        """The device that ``device`` means here.

        Raises:
            InputError: this machine does not have it.
        """
        return choose_device(self.device)

    def lr_at(self, epoch: int) -> float:
        """The learning rate of an epoch, counted from 0."""
        return float(self.lr * self.lr_decay ** (epoch / self.lr_decay_epochs))
