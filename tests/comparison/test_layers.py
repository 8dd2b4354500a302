"""Rows that are layers, and plans that are older than a setting."""

import pytest

from alignrec_geo.comparison.plan import Plan, continue_plan
from alignrec_geo.comparison.request import make_plan, with_layers
from alignrec_geo.errors import InputError


def plan_for(data, *models, settings=()):
    return make_plan(data, models, None, "clean", 0, 1, settings, None, 1, "compare")


def test_rows_are_models_with_layers(catalogue):
    rows = with_layers(["alignrec", "lightgcn", "popularity"], ["light", "sage"])
    assert rows == ["alignrec+light", "alignrec+sage", "lightgcn+light", "lightgcn+sage", "popularity"]
    plan = plan_for(catalogue, *rows, settings=["alignrec.dim=16", "lightgcn.layers=3", "epochs=7"])
    assert plan.reference == "alignrec+light"
    config = plan.config("lightgcn+sage", 1, {})
    assert config.model == "lightgcn"
    assert config.features == []
    assert config.parameters.model_dump()["user_item_conv"] == "sage"
    assert [plan.config(row, 1, {}).parameters.model_dump().get("dim") for row in rows] == [16, 16, 64, 64, None]
    assert plan.models["lightgcn+light"].parameters["layers"] == 3
    assert plan.models["popularity"].training["epochs"] == 7


def test_all_models_are_alignrec_here():
    assert with_layers(["all"], ["gatv2"]) == ["alignrec+gatv2"]


@pytest.mark.parametrize(
    ("models", "message"),
    [
        (["alignrec+svd"], "unknown layer"),
        (["svd+sage"], r"unknown model \(got 'svd'\)"),
        (["bpr+sage"], "unknown setting 'parameters.user_item_conv'"),
        (["alignrec+torch.nn.Linear"], r"layer 'torch\.nn\.Linear' fails on rows of width 64"),
    ],
)
def test_wrong_rows(catalogue, models, message):
    with pytest.raises(InputError, match=message):
        plan_for(catalogue, *models)


def test_a_plan_from_before_a_setting_goes_on(catalogue, tmp_path):
    wanted = plan_for(catalogue, "alignrec")
    own = wanted.models["alignrec"]
    older = {name: value for name, value in own.parameters.items() if name != "user_item_conv"}
    stored = wanted.model_copy(update={"models": {"alignrec": own.model_copy(update={"parameters": older})}})
    stored.save(tmp_path / "p.yaml")
    assert continue_plan(Plan.load(tmp_path / "p.yaml"), wanted, tmp_path) == wanted
    other = plan_for(catalogue, "alignrec", settings=["user_item_conv=sage"])
    with pytest.raises(InputError, match=r"models\.alignrec\.parameters\.user_item_conv was 'light', now 'sage'"):
        continue_plan(stored, other, tmp_path)
