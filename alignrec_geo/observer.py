"""Training callbacks."""

from collections.abc import Iterable, Mapping
from typing import Any


class Observer:
    """Watches a run: a progress bar, a logger, a notebook widget. Subclass and override what is of interest."""

    def training_started(self, facts: Mapping[str, Any]) -> None:
        """The model is made and checked, and training is about to begin.

        Args:
            facts: ``model`` and ``data`` (names), ``features`` (names of feature matrices), ``users``, ``items``,
                ``pairs`` (of training), ``parameters`` (numbers that are trained), ``device``, ``epochs`` (at most),
                and ``ranks`` where there are several; where the split holds out whole items ``new_items``, and how many
                of them are ``placed`` by their content.
        """

    def epoch_started(self, epoch: int, steps: int) -> None:
        """Epoch ``epoch`` (from 0) begins; it has ``steps`` batches."""

    def step_done(self, terms: Mapping[str, float]) -> None:
        """One optimiser step was made; ``terms`` are the weighted loss terms by name."""

    def epoch_done(self, record: Mapping[str, Any]) -> None:
        """An epoch ended; ``record`` is its line in ``metrics.jsonl``."""


def start_observers(observers: Iterable[Observer], facts: Mapping[str, Any]) -> None:
    """Tell the observers what is going to be trained; one that has only the methods of every step need not listen."""
    for observer in observers:
        if hasattr(observer, "training_started"):
            observer.training_started(facts)
