"""Checkpoints: everything a run needs to continue exactly where it was, as one safetensors file with a JSON header."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import Tensor, nn

from alignrec_geo.distributed.files import read_own, write_tensors
from alignrec_geo.distributed.tables import lies_apart, whole_width, widths_apart
from alignrec_geo.errors import InputError
from alignrec_geo.reading import reading

MOMENTS = ("exp_avg", "exp_avg_sq")
"""What the optimiser keeps of every number of a parameter."""


class TrainingState(BaseModel):
    """How far a run is."""

    model_config = ConfigDict(extra="forbid")

    epochs_done: int = Field(default=0, ge=0)
    """Finished epochs."""
    best_epoch: int = Field(default=-1, ge=-1)
    """Epoch of the best validation, counted from 0; -1 before the first."""
    best_value: float = float("-inf")
    """The best validation metric."""
    stale: int = Field(default=0, ge=0)
    """Validations in a row without an improvement."""
    seconds: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Training time so far, over all sessions."""

    @field_validator("best_value")
    @classmethod
    def _comparable(cls, value: float) -> float:
        if math.isnan(value):
            raise ValueError("must be a number to compare with")
        return value


def trainable_state(model: nn.Module) -> dict[str, Tensor]:
    """Parameters that train, and buffers; frozen tables come from the data set again."""
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    return {name: tensor for name, tensor in model.state_dict().items() if name not in frozen}


def load_trainable(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Put back what :func:`trainable_state` gave.

    Raises:
        InputError: names or shapes differ: another model, other settings, or another data set.
    """
    own = trainable_state(model)
    for name in sorted(own.keys() | state.keys()):
        there, here = state.get(name), own.get(name)
        if there is None or here is None or there.shape != here.shape:
            shapes = [None if tensor is None else tuple(tensor.shape) for tensor in (there, here)]
            raise InputError(
                f"the checkpoint does not fit the model: '{name}' is {shapes[0]} there and {shapes[1]} here"
            )
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(state[name])


def save_checkpoint(
    path: Path,
    state: TrainingState,
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None,
    generators: Mapping[str, torch.Generator],
) -> None:
    """Write model, optimiser, generator states and ``state``, atomically.

    On many ranks all call this; what the file holds does not depend on how many there are.
    """
    tensors = {f"model.{name}": tensor for name, tensor in trainable_state(model).items()}
    tensors |= {f"rng.{name}": generator.get_state() for name, generator in generators.items()}
    if optimizer is not None:
        for index, slots in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{slot}": value for slot, value in slots.items()}
    header = {"state": json.dumps(state.model_dump(exclude={"best_value"}) | {"best_value": repr(state.best_value)})}
    write_tensors(path, tensors, _widths(model, optimizer), header)


def load_checkpoint(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None,
    generators: Mapping[str, torch.Generator],
) -> TrainingState:
    """Put back everything :func:`save_checkpoint` wrote and return how far the run was.

    Raises:
        InputError: the file is damaged or does not fit the model.
    """
    tensors, header = read_own(path, _widths(model, optimizer))
    with reading(path, "checkpoint of this program"):
        state = TrainingState.model_validate_json(header["state"])
        for name, generator in generators.items():
            if f"rng.{name}" not in tensors:
                raise InputError(f"{path}: no state of the random generator '{name}' in it")
            generator.set_state(tensors[f"rng.{name}"])
        load_trainable(model, _section(tensors, "model."))
        if optimizer is not None:
            slots: dict[int, dict[str, Tensor]] = {}
            for name, tensor in _section(tensors, "optimizer.").items():
                index, slot = name.split(".", 1)
                slots.setdefault(int(index), {})[slot] = tensor
            _check_slots(path, optimizer, slots)
            optimizer.load_state_dict({"state": slots, "param_groups": optimizer.state_dict()["param_groups"]})
    return state


def _check_slots(path: Path, optimizer: torch.optim.Optimizer, slots: Mapping[int, Mapping[str, Tensor]]) -> None:
    """The optimiser takes any shapes, and fails only in its next step."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for index, state in slots.items():
        for slot, tensor in state.items():
            wanted = parameters[index].shape if 0 <= index < len(parameters) else None
            if wanted is None or (tensor.dim() and tensor.shape != wanted):
                raise InputError(
                    f"{path}: does not fit the optimiser: '{slot}' of parameter {index} is {tuple(tensor.shape)}"
                )


def _widths(model: nn.Module, optimizer: torch.optim.Optimizer | None) -> dict[str, int]:
    """The tensors of a checkpoint that lie apart, with the number of all their columns."""
    widths = {f"model.{name}": whole for name, whole in widths_apart(model).items()}
    groups = [] if optimizer is None else optimizer.param_groups
    for index, parameter in enumerate(parameter for group in groups for parameter in group["params"]):
        if lies_apart(parameter):
            widths |= {f"optimizer.{index}.{slot}": whole_width(parameter) for slot in MOMENTS}
    return widths


def _section(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
