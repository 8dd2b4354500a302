"""The file of all settings is one that ``train --config`` takes, and changes nothing."""

import json
from itertools import pairwise

import pytest

from alignrec_geo.dataset import make_catalogue
from alignrec_geo.models import MODELS
from alignrec_geo.training.run_config import SECTIONS, RunConfig
from alignrec_geo.training.template import TOP, config_template, model_settings
from alignrec_geo.yaml_text import parse_yaml


@pytest.mark.parametrize("name", MODELS)
def test_the_template_is_the_defaults(name):
    text = config_template(name)
    default = RunConfig.resolve({"model": name})
    assert RunConfig.resolve(parse_yaml(text, "template")) == default
    given = parse_yaml(text, "template")
    values = default.model_dump(mode="json")
    assert given == {key: values[key] for key in (*TOP, *SECTIONS)}
    assert max(map(len, text.splitlines())) <= 104


@pytest.mark.parametrize("name", MODELS)
def test_every_setting_has_a_comment_above_it(name):
    lines = config_template(name).splitlines()
    for before, line in pairwise(lines):
        if line and not line.lstrip().startswith("#") and line[-1] != ":" and not line.endswith("{}"):
            assert before.lstrip().startswith("# "), line


def test_what_searches_try_is_said():
    tried = {
        f"{section}.{line.name}": values
        for section, lines in model_settings("lightgcn").items()
        for line, values in lines
    }
    assert tried["parameters.layers"] == (1, 2, 3, 4)
    assert tried["training.lr"] == (5e-4, 1e-3, 3e-3)
    assert tried["training.epochs"] == ()
    assert "searches try 1, 2, 3, 4" in config_template("lightgcn")
    assert "lr_decay: 1.0" in config_template("lightgcn")  # this model's own default


def test_the_verb(verb, tmp_path):
    text = verb("config", "lightgcn").out
    assert text == config_template("lightgcn")
    data = make_catalogue(n_users=60, n_items=40, image_size=16).save(tmp_path / "data")
    file = tmp_path / "settings.yaml"
    file.write_text(text.replace("epochs: 1000", "epochs: 1"), encoding="utf-8")
    done = verb("train", data.path, "--config", file, "--out", tmp_path / "run", "--json")
    assert done.code == 0, done.err
    run = RunConfig.load(tmp_path / "run" / "config.yaml").model_dump(mode="json")
    expected = RunConfig.resolve({"model": "lightgcn", "training": {"epochs": 1}}).model_dump(mode="json")
    for section in ("model", "protocol", "seed", "parameters", "training", "kernels"):
        assert run[section] == expected[section]


def test_the_verb_in_json_and_refused(verb):
    printed = json.loads(verb("config", "freedom", "--json").out)
    found = {setting["name"]: setting for setting in printed["settings"]}
    assert found["parameters.dim"] == {
        "name": "parameters.dim",
        "default": 64,
        "doc": "Width d of the embeddings.",
        "allowed": "at least 1",
        "tried": [],
    }
    verb("config", "nothing").refused("unknown model (got 'nothing')", "lightgcn")
