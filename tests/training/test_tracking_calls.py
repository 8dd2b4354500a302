"""What MLflow and Weights & Biases are asked for, with stand-ins for both; test_tracking.py has them, slowly."""

import os
import sys
from types import ModuleType, SimpleNamespace

import pytest

from alignrec_geo.training.tracking.mlflow import PARAMETERS, RETRIES, MLflow
from alignrec_geo.training.tracking.wandb import WandB

LOSS, MEASURED = {"bpr": 0.5, "uia(0.1)": 0.25}, {"recall@20": 0.125}
RECORD = {"epoch": 3, "loss": LOSS, "validation": MEASURED, "lr": 0.001, "seconds": 1.5}


def module(monkeypatch, name, **parts):
    made = ModuleType(name)
    vars(made).update(parts)
    monkeypatch.setitem(sys.modules, name, made)


class Calls:
    """Notes what is called, with the variables that are set meanwhile; answers what it is given to answer."""

    def __init__(self, **answers):
        self.calls, self.answers, self.waits = [], answers, []

    def __getattr__(self, name):
        def call(*given, **named):
            self.calls.append((name, *given, *named.items()))
            self.waits.append({key: os.environ.get(key) for key in RETRIES})
            answer = self.answers.get(name)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


class MlflowException(Exception):
    """Stands in for MLflow's."""


@pytest.fixture
def mlflow(monkeypatch):
    """The client that is made, and what it answers."""
    client = Calls(
        create_experiment="7",
        create_run=SimpleNamespace(info=SimpleNamespace(run_id="run-1")),
        update_run=None,
    )
    module(monkeypatch, "mlflow")
    module(monkeypatch, "mlflow.tracking", MlflowClient=lambda: client)
    module(monkeypatch, "mlflow.exceptions", MlflowException=MlflowException)
    module(
        monkeypatch,
        "mlflow.entities",
        Param=lambda name, value: (name, value),
        Metric=lambda name, value, now, step: (name, value, step),
    )
    for name in RETRIES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    return client


def test_an_mlflow_run_from_its_start_to_its_end(mlflow, tmp_path):
    settings = {f"s{n}": n for n in range(PARAMETERS + 5)}
    tracker = MLflow()
    assert tracker.run_started("run", settings, None) == "run-1"
    names = [call[0] for call in mlflow.calls]
    assert names == ["get_experiment_by_name", "create_experiment", "create_run", "log_batch", "log_batch"]
    assert mlflow.calls[2] == ("create_run", "7", ("run_name", "run"))
    assert [len(call[2][1]) for call in mlflow.calls[3:]] == [PARAMETERS, 5]
    assert mlflow.calls[4][2][1][0] == (f"s{PARAMETERS}", str(PARAMETERS))
    mlflow.calls.clear()
    tracker.epoch_done(RECORD)
    ((_, run, (_, metrics)),) = mlflow.calls
    assert run == "run-1"
    assert ("loss/uia_0.1_", 0.25, 3) in metrics
    assert ("validation/recall_at_20", 0.125, 3) in metrics
    mlflow.calls.clear()
    tracker.run_ended({"test/recall@20": 0.5}, [tmp_path / "report.html"])
    assert mlflow.calls[0][2][1] == [("test/recall_at_20", 0.5, 0)]
    assert mlflow.calls[1:] == [
        ("log_artifact", "run-1", str(tmp_path / "report.html")),
        ("set_terminated", "run-1", "FINISHED"),
    ]
    assert all(wait == RETRIES for wait in mlflow.waits)  # it is not waited for as long as MLflow would
    assert not any(name in os.environ for name in RETRIES)


def test_the_users_patience_and_experiment_count(mlflow, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "99")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "shop")
    mlflow.answers["get_experiment_by_name"] = SimpleNamespace(experiment_id="5")
    MLflow().run_started("run", {}, None)
    assert mlflow.calls[0] == ("get_experiment_by_name", "shop")
    assert mlflow.calls[1][:2] == ("create_run", "5")
    assert mlflow.waits[0]["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "99"
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "99"


@pytest.mark.parametrize(("stopped", "state"), [(True, "KILLED"), (False, "FAILED")])
@pytest.mark.parametrize("there", [True, False])
def test_a_resumed_run_goes_on_where_it_is_still_there(mlflow, there, stopped, state):
    mlflow.answers["update_run"] = None if there else MlflowException("no such run")
    tracker = MLflow()
    assert tracker.run_started("run", {"lr": 1}, "before") == ("before" if there else "run-1")
    assert mlflow.calls[0] == ("update_run", "before", ("status", "RUNNING"))
    assert ("create_run" in [call[0] for call in mlflow.calls]) != there
    tracker.run_failed(stopped)
    assert mlflow.calls[-1] == ("set_terminated", "before" if there else "run-1", state)


@pytest.fixture
def wandb(monkeypatch):
    """The run that is made, and how it was asked for."""
    run = Calls()
    run.id, run.summary, run.asked, run.artifacts = "w-1", {}, [], []

    class Artifact:
        def __init__(self, name, type):
            self.name, self.type, self.files = name, type, []
            run.artifacts.append(self)

        def add_file(self, file):
            self.files.append(file)

    module(
        monkeypatch,
        "wandb",
        init=lambda **asked: run.asked.append(asked) or run,
        Settings=lambda **given: given,
        Artifact=Artifact,
    )
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    return run


def test_a_run_of_weights_and_biases(wandb, tmp_path):
    tracker = WandB()
    assert tracker.run_started("run", {"lr": 1}, None) == "w-1"
    (asked,) = wandb.asked
    assert (asked["project"], asked["name"], asked["config"]) == ("alignrec-geo", "run", {"lr": 1})
    assert (asked["id"], asked["resume"], asked["settings"]) == (None, None, {"console": "off"})
    tracker.epoch_done(RECORD)
    assert wandb.calls[0][0] == "log"
    assert wandb.calls[0][1]["validation/recall@20"] == 0.125
    assert wandb.calls[0][2] == ("step", 3)
    tracker.run_ended({"test/recall@20": 0.5}, [tmp_path / "report.html"])
    assert wandb.summary == {"test/recall@20": 0.5}
    (artifact,) = wandb.artifacts
    assert (artifact.name, artifact.files) == ("run-w-1", [str(tmp_path / "report.html")])
    assert wandb.calls[-2:] == [("log_artifact", artifact), ("finish",)]


@pytest.mark.parametrize(("stopped", "code"), [(True, 130), (False, 1)])
def test_a_resumed_run_of_weights_and_biases_that_fails(wandb, monkeypatch, stopped, code):
    monkeypatch.setenv("WANDB_PROJECT", "shop")
    tracker = WandB()
    tracker.run_started("run", {}, "w-0")
    assert (wandb.asked[0]["project"], wandb.asked[0]["id"], wandb.asked[0]["resume"]) == ("shop", "w-0", "allow")
    tracker.run_failed(stopped)
    assert wandb.calls == [("finish", ("exit_code", code))]


def test_a_run_without_files_has_no_artifact(wandb):
    tracker = WandB()
    tracker.run_started("run", {}, None)
    tracker.run_ended({}, [])
    assert wandb.artifacts == []
    assert wandb.calls == [("finish",)]
