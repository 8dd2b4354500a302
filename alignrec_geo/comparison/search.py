"""Which settings the next trial tries: TPE on a finite grid, no point twice, and the same answer whoever asks."""

import zlib
from collections.abc import Container, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

Space = Mapping[str, Sequence[Any]]
"""The values of every setting, the default first."""

STARTUP_TRIALS = 5
"""Trials before the Tree-structured Parzen Estimator takes over from random points."""
DRAWS = 50
"""Answers to ask for if each was tried already."""


class Tried(NamedTuple):
    """A former trial."""

    settings: dict[str, Any]
    value: float | None
    """Its validation metric; of a pruned trial the best until then, ``None`` if it failed."""
    pruned_at: int | None = None
    """The epochs after which it was pruned, ``None`` if it was not."""


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """The space as Optuna knows it."""
    return {name: CategoricalDistribution(tuple(values)) for name, values in space.items()}


def suggest(
    space: Space, former: Sequence[Tried], purpose: str, running: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any] | None:
    """Return the settings of the trial that follows ``former``; ``None`` if every point was tried.

    The first trial are the defaults. The answer depends on the arguments alone: the sampler
    (`TPE <https://papers.nips.cc/paper/4443>`_) is seeded anew from ``purpose`` and the number of former trials. If it
    names a point that was tried it is asked again, and after :data:`DRAWS` answers the next untried point in the order
    of the grid is taken.

    Args:
        space: the values of every setting, the default first.
        former: all former trials, in order.
        purpose: what the stream of random numbers is for: the model's name.
        running: the settings of trials that have not ended; the sampler keeps away from them.

    Example:
        >>> space = {"layers": (2, 3), "lr": (0.001, 0.01)}
        >>> suggest(space, [], "toy")
        {'layers': 2, 'lr': 0.001}
        >>> tried = [Tried({"layers": a, "lr": b}, 0.1) for a in (2, 3) for b in (0.001, 0.01)]
        >>> suggest(space, tried, "toy") is None
        True
    """
    axes = list(space.values())
    size = prod(len(axis) for axis in axes)
    known = {_index(space, settings) for settings in (*(trial.settings for trial in former), *running)}
    if len(known) == size:
        return None
    index = _ask(space, former, running, known, purpose) if former or running else 0
    while index in known:
        index = (index + 1) % size
    point = []
    for axis in reversed(axes):
        index, position = divmod(index, len(axis))
        point.append(axis[position])
    return dict(zip(space, reversed(point), strict=True))


def frozen(space: Space, tried: Tried) -> FrozenTrial:
    """A finished trial as Optuna stores it."""
    values: dict[int, float] = {}
    if tried.pruned_at is not None and tried.value is not None:
        values[tried.pruned_at] = tried.value
    return create_trial(
        state=TrialState.PRUNED if values else TrialState.FAIL if tried.value is None else TrialState.COMPLETE,
        value=tried.value,
        params=tried.settings,
        distributions=distributions(space),
        intermediate_values=values,
    )


def _ask(
    space: Space,
    former: Sequence[Tried],
    running: Sequence[Mapping[str, Any]],
    known: Container[int],
    purpose: str,
) -> int:
    """Ask the sampler until it names an untried point, at most :data:`DRAWS` times; the number of the last answer."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    seed = zlib.crc32(f"{purpose}/{len(former) + len(running)}".encode())
    liar = bool(running)  # what runs counts as bad, so that the next trial goes elsewhere
    sampler = optuna.samplers.TPESampler(n_startup_trials=STARTUP_TRIALS, seed=seed, constant_liar=liar)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.add_trials([frozen(space, tried) for tried in former])
    for settings in running:
        begun = create_trial(state=TrialState.RUNNING, params=dict(settings), distributions=distributions(space))
        study.add_trial(begun)
    for _ in range(DRAWS):
        index = _index(space, study.ask(distributions(space)).params)
        if index not in known:
            break
    return index


def _index(space: Space, settings: Mapping[str, Any]) -> int:
    """The number of a point in the order of the grid; the last setting varies fastest."""
    index = 0
    for name, axis in space.items():
        index = index * len(axis) + list(axis).index(settings[name])
    return index
