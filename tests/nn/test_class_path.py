"""Code that a file names is run only if its user says so."""

import sys
from pathlib import Path

import pytest
import yaml

from alignrec_geo.errors import InputError
from alignrec_geo.nn.class_path import refuse_code
from alignrec_geo.training.run_config import RunConfig


@pytest.mark.parametrize(
    "value",
    [
        "evil.Conv",
        "evil:Conv",
        ["light", "evil.Conv"],
        {"user__interacts__item": ["evil.Conv"]},
        "torch_geometric.datasets.Planetoid",
        "torch.hub.load",
        "torch.nn.functional.relu",
        "alignrec_geo.files.write_json",
        "alignrec_geo.nn.class_path.load_named",
        "torch.nn.modules.module.Any",
        "torch.nnevil.Conv",
    ],
)
def test_code_that_only_a_file_names_is_refused(value):
    with pytest.raises(InputError, match=r"^there: conv names code .*trust=True"):
        refuse_code({"conv": value}, "there")


@pytest.mark.parametrize(
    "value",
    ["light", "sage", "torch_geometric.nn.SAGEConv", "torch_geometric.nn.conv.gcn_conv.GCNConv", "torch.nn.Identity",
     "alignrec_geo.nn.light_conv.LightConv", "bpr + cca(0.1, 0.2)", 0.5, None, ["light", "gcn"]],
)  # fmt: skip
def test_names_and_layers_of_the_libraries_are_fine(value):
    refuse_code({"conv": value}, "there")


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    """A ``config.yaml`` that names a module beside it, in the current folder; importing it leaves a mark."""
    (tmp_path / "foreign_code.py").write_text(
        "from pathlib import Path\nfrom torch import nn\nPath(__file__).with_name('ran').touch()\n"
        "class Conv(nn.Module):\n    def __init__(self, width): super().__init__()\n"
        "    def forward(self, x, edge_index, edge_weight=None): return x\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "foreign_code", raising=False)
    values = {"model": "alignrec", "parameters": {"user_item_conv": "foreign_code.Conv"}, "training": {"epochs": 1}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(values))
    return tmp_path / "config.yaml"


def test_a_config_is_trusted_only_if_asked(foreign):
    with pytest.raises(InputError, match=r"config\.yaml: user_item_conv names code"):
        RunConfig.load(foreign)
    assert RunConfig.load(foreign, trust=True).parameters.model_dump()["user_item_conv"] == "foreign_code.Conv"
    assert not Path("ran").exists()  # nothing is imported before a model is built


def test_train_runs_code_of_a_file_only_if_told_to(foreign, verb, tmp_path):
    from alignrec_geo.dataset import make_catalogue

    data = make_catalogue(n_users=40, n_items=30, image_size=16).save(tmp_path / "data")
    line = ("train", data.path, "--out", tmp_path / "run", "--set", "dim=8", "--set", "training.tensorboard=false")
    verb(*line, "--config", foreign).refused("config.yaml", "foreign_code.Conv", "--trust")
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "run").exists()
    assert verb(*line, "--config", foreign, "--user-item-conv", "light").code == 0  # what it names is not used
    assert not (tmp_path / "ran").exists()
    assert verb(*line, "--config", foreign, "--trust", "--overwrite").code == 0
    assert (tmp_path / "ran").exists()
    resume = ("train", data.path, "--out", tmp_path / "run", "--resume")
    verb(*resume).refused("config.yaml", "--trust")
    assert verb(*resume, "--trust").code == 0
    assert verb(*resume, "--user-item-conv", "foreign_code.Conv").code == 0  # the user's own command line
