import json

import pytest
from safetensors.torch import load_file

from alignrec_geo.comparison import worker
from alignrec_geo.serving import load_top_items
from alignrec_geo.training.run_config import RunConfig


def configure(catalogue, folder, *settings, **given):
    folder.mkdir(parents=True)
    given = {"dataset": str(catalogue.path), "features": ["image"], "training": {"tensorboard": False}, **given}
    RunConfig.resolve(given, ["epochs=3", "dim=8", *settings]).save(folder / "config.yaml")
    return folder


def test_a_final_run_leaves_result_groups_and_cost_and_can_be_served(catalogue, tmp_path):
    run = configure(catalogue, tmp_path / "run")
    (run / ".dataset.abcdefgh.part").mkdir()  # of a process that was killed
    worker.train_run(run, test=True)
    result, cost, groups = (json.loads((run / f"{name}.json").read_text()) for name in ("result", "cost", "groups"))
    assert 0 < result["metrics"]["recall@20"] <= 1
    assert set(groups) == {"users", "items"}
    seconds = [json.loads(line)["seconds"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert cost["seconds_per_epoch"] == sorted(seconds)[1]
    assert cost["seconds_to_best"] == pytest.approx(sum(seconds[: result["best_epoch"] + 1]), abs=0.01)
    assert cost["peak_memory_mb"] > 50
    assert cost["parameters"] == sum(
        tensor.numel() for tensor in load_file(run / "checkpoint/best.safetensors").values()
    )
    assert not (run / "checkpoint" / "last.safetensors").exists()
    assert not list(run.rglob("*.part"))
    user = catalogue.users["id"][0]
    assert len(load_top_items(run).recommend([user], k=3)[user]) == 3


def test_a_trial_is_not_tested_and_keeps_only_numbers(catalogue, tmp_path):
    run = configure(catalogue, tmp_path / "run")
    worker.train_run(run, test=False)
    assert json.loads((run / "result.json").read_text())["metrics"] == {}
    left = {path.name for path in run.rglob("*") if path.is_file()}
    assert left == {"config.yaml", "metrics.jsonl", "result.json", "cost.json"}


def test_a_model_without_anything_to_train_costs_nothing(catalogue, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    RunConfig.resolve({"dataset": str(catalogue.path), "model": "popularity"}).save(run / "config.yaml")
    worker.train_run(run, test=True)
    cost = json.loads((run / "cost.json").read_text())
    assert (cost["parameters"], cost["seconds_per_epoch"], cost["seconds_to_best"]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("given", "message"),
    [({"features": ["audio"]}, "no features 'audio'"), ({"dataset": "absent"}, "no such data set")],
)
def test_what_goes_wrong_is_left_in_a_file(catalogue, tmp_path, monkeypatch, given, message):
    run = configure(catalogue, tmp_path / "run", **given)
    monkeypatch.setattr("sys.argv", ["worker", str(run)])
    monkeypatch.setattr(worker, "_end_with_parent", lambda: None)
    with pytest.raises(SystemExit) as stop:
        worker.main()
    assert stop.value.code == 1
    assert message in json.loads((run / "error.json").read_text())["error"]
