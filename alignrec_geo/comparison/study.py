"""The trials of a model in ``study.sqlite``: an Optuna study that any number of processes and dashboards may open."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.trial import TrialState, create_trial

from alignrec_geo.comparison.layout import Layout
from alignrec_geo.comparison.search import Space, Tried, distributions
from alignrec_geo.errors import InputError
from alignrec_geo.failures import machine_failure
from alignrec_geo.locks import locked
from alignrec_geo.reading import first_line

PATIENCE = 120
"""Seconds to wait while another process writes."""


class TrialLog:
    """One model's trials; only the owner of the model's tuning writes here.

    A trial is entered with all its settings in one transaction, so a process that is killed leaves either no trial or
    one that can be continued.

    Args:
        layout: the comparison's folder.
        model: the name of the study.
        space: the values of every setting.
    """

    def __init__(self, layout: Layout, model: str, space: Space) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._distributions = distributions(space)
        self._path = layout.study
        with locked(layout.lock("study")), self._readable():  # two processes must not make the tables at once
            with sqlite3.connect(layout.study, timeout=PATIENCE) as database:
                database.execute("PRAGMA journal_mode=WAL")
            database.close()
            self._storage = RDBStorage(
                f"sqlite:///{layout.study}", engine_kwargs={"connect_args": {"timeout": PATIENCE}}
            )
            self._study = optuna.create_study(
                storage=self._storage, study_name=model, direction="maximize", load_if_exists=True
            )

    def settings(self, number: int) -> dict[str, Any] | None:
        """The settings of a trial; ``None`` if there is no such trial yet."""
        with self._readable():
            trials = self._study.get_trials(deepcopy=False)
        return dict(trials[number].params) if number < len(trials) else None

    def begin(self, settings: dict[str, Any]) -> None:
        """Enter the next trial."""
        self._study.add_trial(
            create_trial(state=TrialState.RUNNING, params=settings, distributions=self._distributions)
        )

    def end(self, number: int, tried: Tried) -> None:
        """Enter how a trial ended, unless that is known."""
        with self._readable():
            if self._study.get_trials(deepcopy=False)[number].state is TrialState.RUNNING:
                if tried.pruned_at is not None and tried.value is not None:
                    trial = self._study.get_trials(deepcopy=False)[number]
                    self._storage.set_trial_intermediate_value(trial._trial_id, tried.pruned_at, tried.value)
                    self._study.tell(number, state=TrialState.PRUNED)
                    return
                state = TrialState.FAIL if tried.value is None else None
                self._study.tell(number, tried.value, state=state)

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """A damaged data base is bad input; a full disk is not."""
        try:
            yield
        except Exception as error:
            if isinstance(error, InputError) or machine_failure(error) is not None:
                raise
            raise InputError(f"{self._path}: not a readable Optuna study, or damaged ({first_line(error)})") from error

    def close(self) -> None:
        """Close the data base."""
        self._storage.remove_session()
        self._storage.engine.dispose()
