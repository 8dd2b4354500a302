"""What a verb loads before it answers: modules are counted, not seconds."""

import json
import subprocess
import sys

import pytest

from alignrec_geo.dataset import make_catalogue
from alignrec_geo.training.configured import fit_config
from alignrec_geo.training.run_config import RunConfig

pytestmark = pytest.mark.first

PROGRAM = """
import json, sys
from alignrec_geo.cli.app import main
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["alignrec-geo", *arguments]
    try:
        main()
    except SystemExit as stop:
        assert stop.code == 2, stop.code
print(json.dumps(sorted(name for name, module in list(sys.modules.items()) if type(module).__name__ != "_Unloaded")))
"""
SLOW = {"torch._dynamo", "transformers", "sympy", "pandas", "sklearn", "scipy", "optuna", "matplotlib"}


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return make_catalogue(n_users=40, n_items=30, image_size=8).save(tmp_path_factory.mktemp("data") / "catalogue")


@pytest.fixture(scope="module")
def run(catalogue, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    config = RunConfig.resolve({"model": "popularity", "dataset": str(catalogue.path)})
    fit_config(config, folder)
    return folder


def loaded(*commands):
    commands = json.dumps([[str(word) for word in command] for command in commands])
    done = subprocess.run([sys.executable, "-c", PROGRAM, commands], check=True, capture_output=True, text=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_verbs_that_read_a_run_load_neither_pyg_nor_the_compiler(run, catalogue):
    user, item = catalogue.users["id"][0], catalogue.items["id"][0]
    modules = loaded(
        ["recommend", run, "--user", user],
        ["recommend", run, "--user", "nobody"],
        ["similar", run, "--item", item],
        ["evaluate", run],
        ["data", "describe", catalogue.path],
    )
    assert "torch" in modules
    assert not {*SLOW, "torch_geometric"} & modules


@pytest.mark.slow
def test_training_loads_no_data_sets_of_pygs(catalogue, tmp_path):
    modules = loaded(
        ["train", catalogue.path, "--out", tmp_path / "run", "--model", "lightgcn", "--set", "epochs=1"],
    )
    assert {"torch_geometric", "torch._dynamo"} <= modules
    unwanted = {"torch_geometric.datasets", "transformers", "sklearn", "optuna", "mlflow", "wandb"}
    assert not unwanted & modules


@pytest.mark.slow
def test_sharing_loads_the_client_only_where_it_asks(run):
    modules = loaded(["push", run, "me/run", "--dry-run"], ["push", run, "nowhere"])
    found = {*SLOW, "huggingface_hub", "mlcroissant"} & modules
    assert not found


def test_no_verb_loads_torch_to_refuse_a_folder_that_is_none(tmp_path):
    gone = tmp_path / "gone"
    on_runs = ["recommend --user a", "evaluate", "similar --item a", "explain --user a --item b", "score --pairs x.csv"]
    on_runs += ["export --to parquet", "embed --items x", "index", "update --interactions x.csv", "serve"]
    on_data = [f"{verb} --out {tmp_path / 'out'}" for verb in ("train", "compare", "tune")]
    on_data += ["pretrain", "probe", "mask-modality", "features extract", "data describe"]
    commands = []
    for line in [*on_runs, *on_data]:
        words = line.split()
        place = 2 if words[0] in ("features", "data") else 1
        commands.append([*words[:place], gone, *words[place:]])
    modules = loaded(*commands)
    assert not {"torch", "torch_geometric", *SLOW} & modules
    assert list(tmp_path.iterdir()) == []
