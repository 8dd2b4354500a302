"""A run of MLflow, on the server or in the store that MLflow's own variables name."""

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alignrec_geo.training.tracking.tracker import Tracker, scalars

EXPERIMENT = "alignrec-geo"
_FOREIGN = re.compile(r"[^\w./ :-]", re.ASCII)
PARAMETERS = 100
"""As many as one request may hold."""
RETRIES = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}
"""MLflow's own defaults keep a run waiting for five minutes where its server does not answer."""


def metric_name(name: str) -> str:
    """A name as MLflow takes it, which calls a metric at a cutoff ``recall_at_20``.

    Example:
        >>> metric_name("validation/recall@20"), metric_name("loss/uia(0.1)")
        ('validation/recall_at_20', 'loss/uia_0.1_')
    """
    return _FOREIGN.sub("_", name.replace("@", "_at_"))


@contextmanager
def _soon() -> Iterator[None]:
    """Give up on a silent server after some 15 s, unless the user's variables say otherwise."""
    added = {name: value for name, value in RETRIES.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


class MLflow(Tracker):
    """Parameters, metrics of every epoch, result and report of a run of MLflow.

    ``MLFLOW_TRACKING_URI`` says where to (MLflow's default is ``mlflow.db`` in the current folder),
    ``MLFLOW_EXPERIMENT_NAME`` in which experiment. A resumed run goes on in the same run of MLflow. A server that does
    not answer is given up after some 15 s (``MLFLOW_HTTP_REQUEST_MAX_RETRIES`` for longer).
    """

    name = "MLflow"

    def __init__(self) -> None:
        self._client: Any = None
        self._run = ""

    @_soon()
    def run_started(self, called: str, settings: Mapping[str, Any], before: str | None) -> str | None:
        """Open a run, or the one of before again."""
        from mlflow.tracking import MlflowClient

        self._client = MlflowClient()
        if before is not None and self._reopened(before):
            return before
        experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        there = self._client.get_experiment_by_name(experiment)
        number = self._client.create_experiment(experiment) if there is None else there.experiment_id
        self._run = self._client.create_run(number, run_name=called).info.run_id
        self._log_parameters(settings)
        return self._run

    def _reopened(self, run: str) -> bool:
        """Whether the run is there; the store may be another one now."""
        from mlflow.exceptions import MlflowException

        try:
            self._client.update_run(run, status="RUNNING")
        except MlflowException:
            return False
        self._run = run
        return True

    def _log_parameters(self, settings: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        all_of_them = [Param(name, str(value)) for name, value in settings.items()]
        for start in range(0, len(all_of_them), PARAMETERS):
            self._client.log_batch(self._run, params=all_of_them[start : start + PARAMETERS])

    @_soon()
    def epoch_done(self, record: Mapping[str, Any]) -> None:
        """Log the numbers of the epoch, in one request."""
        self._log(dict(scalars(record)), record["epoch"])

    @_soon()
    def run_ended(self, metrics: Mapping[str, float], files: Sequence[Path]) -> None:
        """Log the result and close the run."""
        self._log(metrics, 0)
        for file in files:
            self._client.log_artifact(self._run, str(file))
        self._client.set_terminated(self._run, "FINISHED")

    @_soon()
    def run_failed(self, stopped: bool) -> None:
        """Close the run."""
        self._client.set_terminated(self._run, "KILLED" if stopped else "FAILED")

    def _log(self, metrics: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._client.log_batch(
            self._run, metrics=[Metric(metric_name(name), value, now, step) for name, value in metrics.items()]
        )
