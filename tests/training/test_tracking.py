"""Runs that are logged to MLflow and Weights & Biases, and what their failures do: nothing."""

import json
import os
import sqlite3
import time
import warnings

import pytest
import yaml

from alignrec_geo import InputError, TrainingConfig, fit, make_catalogue
from alignrec_geo.models import LightGCN, Popularity
from alignrec_geo.training import tracked
from alignrec_geo.training.run_config import RunConfig
from alignrec_geo.training.tracking import choose
from alignrec_geo.training.tracking.tracker import Tracker
from tests.file_server import closed_url


class Told(Tracker):
    """Keeps what it is told, or fails at one of its methods."""

    name = "Told"

    def __init__(self, fails=""):
        self.calls, self.fails = [], fails

    def _take(self, method, *args):
        if method == self.fails:
            raise ConnectionError("no\nanswer")
        self.calls.append((method, *args))

    def run_started(self, called, settings, before):
        self._take("started", called, settings, before)
        return "record-1"

    def epoch_done(self, record):
        self._take("epoch", record["epoch"])

    def run_ended(self, metrics, files):
        self._take("ended", metrics, {file.name: file.read_text() for file in files})

    def run_failed(self, stopped):
        self._take("failed", stopped)


@pytest.fixture(scope="module")
def data():
    return make_catalogue(n_users=40, n_items=30, image_size=8)


@pytest.fixture
def told(monkeypatch):
    """Make every run be told to a tracker of this kind; gives them in order."""
    made = []

    def make(fails=""):
        def one(names, folder):
            made.append(Told(fails))
            return [made[-1]]

        monkeypatch.setattr(tracked, "trackers", one)
        return made

    return make


def train(data, out, observers=(), **settings):
    resume = settings.pop("resume", False)
    model = LightGCN.from_dataset(data, config={"dim": 4})
    return fit(model, data, {"epochs": 2, **settings}, out=out, resume=resume, observers=observers)


def test_a_tracker_is_told_settings_epochs_and_result(whole_reports, data, tmp_path, told):
    made = told()
    result = train(data, tmp_path / "run")
    (name, called, settings, before), *epochs, (last, metrics, files) = made[0].calls
    assert (name, called, before) == ("started", "run", None)
    assert settings["training.epochs"] == 2
    assert settings["parameters.dim"] == 4
    assert settings["dataset"] == data.name
    assert epochs == [("epoch", 0), ("epoch", 1)]
    assert last == "ended"
    assert metrics["best/test/recall@20"] == result.metrics["recall@20"]
    assert list(files) == ["report.html", "config.yaml", "result.json"]
    assert "</html>" in files["report.html"]
    texts = [*data.users["id"], *data.items["id"], *data.items["title"].drop_nulls()]
    assert not [text for text in texts if any(text in content for content in files.values())]


def test_a_resumed_run_goes_on_in_its_record(data, tmp_path, told):
    made = told()
    train(data, tmp_path / "run")
    assert json.loads((tmp_path / "run" / "tracking.json").read_text()) == {"Told": "record-1"}
    train(data, tmp_path / "run", epochs=3, resume=True)
    assert made[1].calls[0][-1] == "record-1"
    assert made[1].calls[1] == ("epoch", 2)


def test_a_model_with_nothing_to_train_is_logged_too(data, tmp_path, told):
    made = told()
    fit(Popularity.from_dataset(data), data, out=tmp_path / "run")
    assert [call[0] for call in made[0].calls] == ["started", "ended"]


@pytest.mark.parametrize("method", ["started", "epoch", "ended"])
def test_a_tracker_that_fails_is_one_warning_and_the_run_is_as_without(method, data, tmp_path, told):
    made = told(method)
    with pytest.warns(UserWarning, match=r"Told: no answer; the run goes on") as said:
        result = train(data, tmp_path / "run")
    assert len(said) == 1
    assert not [call for call in made[0].calls if call[0] == "ended"]
    told()
    assert result.metrics == train(data, tmp_path / "again").metrics


@pytest.mark.parametrize(("error", "stopped"), [(KeyboardInterrupt, True), (RuntimeError, False)])
def test_a_run_that_ends_with_an_error_is_closed_as_failed(error, stopped, data, tmp_path, told):
    class Ends:
        def epoch_started(self, epoch, steps):
            return

        def step_done(self, terms):
            return

        def epoch_done(self, record):
            raise error

    made = told()
    with pytest.raises(error):
        train(data, tmp_path / "run", observers=Ends())
    assert made[0].calls[-1] == ("failed", stopped)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (True, ("tensorboard",)),
        (False, ()),
        ("none", ()),
        ("mlflow, wandb", ("mlflow", "wandb")),
        (["wandb"], ("wandb",)),
    ],
)
def test_spellings_of_the_setting(given, meant):
    assert TrainingConfig(log_to=given).log_to == meant


def test_the_setting_of_earlier_releases_is_still_accepted(tmp_path):
    assert TrainingConfig(tensorboard=False).log_to == ()
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"training": {"tensorboard": True}}))
    assert RunConfig.load(tmp_path / "config.yaml").training.log_to == ("tensorboard",)
    assert RunConfig.resolve({}, ["training.tensorboard=false"]).training.log_to == ()


@pytest.mark.parametrize("given", ["mlfow", "mlflow,mlflow", 3, ["tensorboard", 1]])
def test_what_is_no_tracker_is_refused(given):
    with pytest.raises(InputError, match="log_to"):
        TrainingConfig(log_to=given)


def test_one_that_is_not_installed_is_refused_before_anything_is_written(data, tmp_path, monkeypatch):
    monkeypatch.setattr(choose, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"log_to 'wandb': not installed; .* pip install 'alignrec-geo\[wandb\]'"):
        train(data, tmp_path / "run", log_to="wandb")
    assert not (tmp_path / "run").exists()
    train(data, tmp_path / "run", log_to="tensorboard")  # the default says nothing
    assert not (tmp_path / "run" / "tensorboard").exists()


@pytest.mark.slow  # importing MLflow and making its data base take 10 s
def test_mlflow_keeps_settings_metrics_and_report(data, tmp_path, monkeypatch):
    tracking = pytest.importorskip("mlflow.tracking")
    store = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "shop")
    monkeypatch.chdir(tmp_path)
    result = train(data, tmp_path / "run", log_to="mlflow")
    train(data, tmp_path / "run", log_to="mlflow", epochs=3, resume=True)
    client = tracking.MlflowClient(store)
    (run,) = client.search_runs([client.get_experiment_by_name("shop").experiment_id])
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "run"
    assert run.data.params["training.epochs"] == "2"
    assert run.data.params["parameters.dim"] == "4"
    curve = client.get_metric_history(run.info.run_id, "validation/recall_at_20")
    assert [point.step for point in curve] == [0, 1, 2]
    assert curve[result.best_epoch].value == pytest.approx(result.validation["recall@20"])
    assert {file.path for file in client.list_artifacts(run.info.run_id)} == {
        "report.html",
        "config.yaml",
        "result.json",
    }
    with sqlite3.connect(tmp_path / "mlflow.db") as opened:
        assert opened.execute("select count(*) from runs").fetchone() == (1,)


@pytest.mark.slow  # starts the service of Weights & Biases
def test_wandb_offline_keeps_settings_metrics_and_report(data, tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "staged"))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        train(data, tmp_path / "run", log_to="wandb")
    (log,) = (tmp_path / "wandb").glob("offline-run-*/*.wandb")
    record = json.loads((tmp_path / "run" / "tracking.json").read_text())["Weights & Biases"]
    words = ("validation/recall@20", "loss/bpr", "best/test/recall@20", "parameters.dim", "report.html", record)
    until = time.monotonic() + 30  # the service writes it, and may do so after the run has ended
    while missing := [word for word in words if word.encode() not in log.read_bytes()]:
        assert time.monotonic() < until, missing
        time.sleep(0.1)


def test_the_command_line_names_trackers_and_warns_in_one_line(data, tmp_path, told, verb):
    saved = data.save(tmp_path / "data").path
    told("epoch")
    line = ("train", saved, "--model", "lightgcn", "--set", "epochs=1", "--out", tmp_path / "run", "--log-to")
    done = verb(*line, "mlflow,wandb", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["epochs"] == 1
    warned = [line for line in done.err.splitlines() if "Told" in line]
    assert warned == ["warning: Told: no answer; the run goes on and is not logged there any more"]
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert config["training"]["log_to"] == ["mlflow", "wandb"]
    again = verb(*line[:-1], "--log-to", "none", "--resume")  # where it is logged may change
    assert again.code == 0, again.err
    verb(*line, "mlfow").refused("training.log_to", "tensorboard, mlflow, wandb, or none", "mlfow")


@pytest.mark.slow  # imports MLflow
def test_a_silent_mlflow_server_holds_nobody_up(data, tmp_path, monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", closed_url())
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.warns(UserWarning, match=r"MLflow: .*; the run goes on"):
        assert train(data, tmp_path / "run", log_to="mlflow").epochs == 2
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ
