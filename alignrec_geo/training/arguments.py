"""The arguments of :func:`alignrec_geo.training.fit`, checked before anything is written."""

from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any, TypeVar

import torch

from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.evaluation.evaluator import Evaluator, counted_users
from alignrec_geo.evaluation.protocols import Protocol
from alignrec_geo.models.base import Recommender
from alignrec_geo.observer import Observer
from alignrec_geo.settings import Settings, checked

Config = TypeVar("Config", bound=Settings)
OBSERVED = ("epoch_started", "step_done", "epoch_done")
"""What an observer is told."""


def has_parameters(model: torch.nn.Module) -> bool:
    """Whether there is anything to train."""
    return any(parameter.requires_grad for parameter in model.parameters())


def training_data(model: Any, dataset: Any) -> Dataset:
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


def resolved_settings(kind: type[Config], given: Any, defaults: Mapping[str, Any] | None = None) -> Config:
    """Settings from an object or a dictionary of those that differ from ``defaults``."""
    if given is None or isinstance(given, Mapping):
        return checked(kind, {**(defaults or {}), **({} if given is None else {str(key): given[key] for key in given})})
    if isinstance(given, kind):
        return given
    raise InputError(f"fit takes settings as {kind.__name__} or a dictionary (got {given!r:.80})")


def listening_observers(observers: Any) -> list[Observer]:
    """One observer or several, which must have their methods."""
    listening = list(observers) if isinstance(observers, Iterable) else [observers]
    for observer in listening:
        if isinstance(observer, type) or not all(hasattr(observer, name) for name in OBSERVED):
            raise InputError(f"an observer has the methods {', '.join(OBSERVED)} (got {observer!r:.80})")
    return listening


def evaluator_of(dataset: Dataset, split: Split, protocol: Protocol, metrics: list[Any]) -> Evaluator | None:
    """The evaluator of a split, ``None`` where the split holds nobody to evaluate."""
    there = len(counted_users(dataset.interactions, split)) > 0
    return Evaluator(dataset, split, protocol, metrics=metrics) if there else None
