"""One training step behind one call: captured, eager, and naive."""

import warnings
from collections.abc import Callable

import torch
from harness.contestant import step, trained
from harness.naive import NaiveAlignRec

from alignrec_geo.models import Batch, Recommender
from alignrec_geo.randomness import child_generator
from alignrec_geo.training import TrainingConfig
from alignrec_geo.training.captured_step import make_step
from alignrec_geo.training.optimizer import make_optimizer
from gpu_sections.setting import Setting

Stepper = Callable[[Batch], object]


def naive_stepper(model: NaiveAlignRec) -> Stepper:
    """The naive step, with Adam as it comes."""
    optimizer = torch.optim.Adam(trained(model), lr=1e-3)
    return lambda batch: step(model, optimizer, model.loss(batch))


def stepper(model: Recommender, setting: Setting, capture: bool, first: Batch) -> Stepper:
    """The training loop's step of a model that is moved to the device, its first step made.

    Args:
        model: on the CPU.
        setting: device and seed.
        capture: in a CUDA graph, or launched operation by operation.
        first: the batch of the first step.

    Raises:
        RuntimeError: the step of this model is not captured, and why.
    """
    model.to(setting.device).train()
    model.start_epoch(0, child_generator(setting.seed, "model"))
    optimizer = make_optimizer(model, TrainingConfig())
    assert optimizer is not None
    made = make_step(model, optimizer, capture=capture)
    made.start(0)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        made.run(first)
    refused = [str(warning.message) for warning in said if "CUDA graph" in str(warning.message)]
    if capture and setting.on_gpu and refused:
        raise RuntimeError(refused[0])
    return made.run
