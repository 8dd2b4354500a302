"""Finished runs without the optimiser's state."""

import json

import pytest

from alignrec_geo import fit, load, load_top_items, make_catalogue
from alignrec_geo.errors import InputError
from alignrec_geo.models import BPRMF
from alignrec_geo.training.run_folder import RUN, RunFolder

STATE = "checkpoint/last.safetensors"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_catalogue(n_users=60, n_items=40, image_size=16).save(tmp_path_factory.mktemp("slim") / "data")


def trained(data, out, **options):
    fit(BPRMF.from_dataset(data, config={"dim": 4}), config={"epochs": 2}, out=out, **options)
    return out


def test_a_slim_run_does_all_but_go_on(data, tmp_path):
    slim, whole = trained(data, tmp_path / "slim", slim=True), trained(data, tmp_path / "whole")
    assert not (slim / STATE).exists()
    assert (whole / STATE).exists()
    assert RUN.problem(slim) is None
    asked = {"users": "user-0001", "k": 5}
    assert load_top_items(slim).recommend(**asked) == load_top_items(whole).recommend(**asked)
    assert load(slim, data).recommend(**asked) == load(whole, data).recommend(**asked)
    before = {file: file.read_bytes() for file in slim.rglob("*") if file.is_file()}
    with pytest.raises(InputError, match=r"without the optimiser's state \(slim\), so it cannot be continued"):
        trained(data, slim, resume=True)
    assert {file: file.read_bytes() for file in slim.rglob("*") if file.is_file()} == before
    trained(data, slim, overwrite=True)
    assert (slim / STATE).exists()


def test_the_verb(data, tmp_path, verb):
    run = trained(data, tmp_path / "run")
    size = (run / STATE).stat().st_size
    assert json.loads(verb("slim", run, "--json").out) == {"run": str(run), "freed_bytes": size}
    assert "is slim already" in verb("slim", run).out
    verb("slim", tmp_path).refused("no run folder, it has no config.yaml")
    verb("train", data.path, "--out", run, "--model", "bpr", "--resume").refused(
        "without the optimiser's state (slim), so it cannot be continued; 'update' goes on from its parameters, "
        "--overwrite trains it anew"
    )
    done = verb(
        "train", data.path, "--out", tmp_path / "new", "--model", "bpr", "--set", "epochs=1", "--set", "dim=4", "--slim"
    )
    assert done.code == 0, done.err
    assert RunFolder(tmp_path / "new").is_slim


def test_a_run_that_has_not_ended_keeps_its_state(data, tmp_path):
    run = trained(data, tmp_path / "run")
    (run / "result.json").unlink()
    with pytest.raises(InputError, match="training has not ended; finish it with resume=True first"):
        RunFolder(run).make_slim()
    assert (run / STATE).exists()
