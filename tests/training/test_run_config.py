import pytest
import yaml

from alignrec_geo.errors import InputError
from alignrec_geo.models import AlignRec
from alignrec_geo.training.run_config import RunConfig, has_setting


def test_defaults_sections_and_settings():
    config = RunConfig.resolve(
        {"dataset": "d", "training": {"lr": 0.01}},
        ["parameters.dim=32", "cca_weight=1e-2", "lr=5e-4", "train_features=false", "training.epochs=3"],
    )
    assert config.model == "alignrec"
    assert config.parameters.dim == 32
    assert config.parameters.cca_weight == 0.01
    assert config.parameters.train_features is False
    assert config.training.lr == 5e-4
    assert config.training.epochs == 3
    assert config.features is None


def test_round_trip_through_yaml(tmp_path):
    config = RunConfig.resolve({"dataset": "d", "features": ["a"], "protocol": "mmrec"}, ["dim=8"])
    config.save(tmp_path / "config.yaml")
    assert RunConfig.load(tmp_path / "config.yaml") == config
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["parameters"]["dim"] == 8


@pytest.mark.parametrize(
    ("given", "settings", "message"),
    [
        ({}, ["cca=1"], r"unknown setting 'cca' \(did you mean 'parameters\.\w+'\?\); there are: parameters\.dim"),
        ({}, ["cca_weigth=1"], r"did you mean 'parameters\.cca_weight'"),
        ({}, ["training.dim=1"], "unknown setting 'training.dim'"),
        ({}, ["other.dim=1"], "unknown setting 'other.dim'"),
        ({}, ["dim"], r"settings= takes key=value \(got 'dim'\)"),
        ({}, ["dim=[1"], "setting dim: not valid YAML"),
        ({}, ["temperature=0"], r"parameters\.temperature: .*greater than 0 \(got 0\)"),
        ({}, ["metric=auc"], r"training\.metric: unknown metric \(got 'auc'\); there are: recall, ndcg"),
        ({"training": {"epoch": 1}}, [], r"unknown setting 'training\.epoch' \(did you mean 'training\.epochs'\?\)"),
        ({"training": 3}, [], "'training' must hold key: value pairs"),
        ({"modeL": "alignrec"}, [], r"unknown setting 'modeL'"),
        ({"model": "svd"}, [], "unknown model"),
        ({"seed": -1}, [], "seed: Input"),
    ],
)
def test_what_is_refused(given, settings, message):
    with pytest.raises(InputError, match=message):
        RunConfig.resolve({"dataset": "d", **given}, settings)


@pytest.mark.parametrize(("text", "message"), [("a: [", "not valid YAML"), ("- 1", "must be key: value")])
def test_wrong_files(tmp_path, text, message):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        RunConfig.load(tmp_path / "c.yaml")
    with pytest.raises(InputError, match="no such file"):
        RunConfig.load(tmp_path / "absent.yaml")


def test_settings_of_a_search_space_change_a_run():
    config = RunConfig.resolve({"dataset": "d"}).changed({"dim": 8, "training.lr": 0.5})
    assert (config.parameters.dim, config.training.lr, config.dataset) == (8, 0.5, "d")
    with pytest.raises(InputError, match=r"unknown setting 'parameters\.dimm'"):
        config.changed({"dimm": 8})
    assert has_setting(AlignRec, "dim")
    assert has_setting(AlignRec, "training.lr")
    assert not has_setting(AlignRec, "training.dim")
