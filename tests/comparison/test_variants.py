"""Rows that are variants of a model: ablations in one comparison."""

import pytest

from alignrec_geo.comparison.request import make_plan
from alignrec_geo.comparison.row_name import RowName, parse_row, split_rows, with_variants
from alignrec_geo.errors import InputError


def plan_for(data, *rows, settings=(), trials=0):
    return make_plan(data, rows, None, "clean", trials, 1, settings, None, 1, "compare")


def test_rows_are_models_with_settings(catalogue):
    rows = with_variants(["bpr", "alignrec-plus"], ["hard_negatives=1", "dim=16,lr=0.01"])
    assert rows == [
        *("bpr", "bpr[dim=16,lr=0.01]"),
        *("alignrec-plus", "alignrec-plus[hard_negatives=1]", "alignrec-plus[dim=16,lr=0.01]"),
    ]
    plan = plan_for(catalogue, *rows, settings=["epochs=7", "dim=32", "alignrec-plus.layers=1"])
    configs = [plan.config(row, 1, {}) for row in rows]
    assert [config.model for config in configs] == ["bpr"] * 2 + ["alignrec-plus"] * 3
    assert [config.parameters.model_dump()["dim"] for config in configs] == [32, 16, 32, 32, 16]
    assert [config.parameters.model_dump().get("layers") for config in configs] == [None, None, 1, 1, 1]
    assert [config.parameters.model_dump().get("hard_negatives") for config in configs] == [None, None, 4, 1, 4]
    assert [config.training.lr for config in configs] == [0.001, 0.01, 0.001, 0.001, 0.01]
    assert {config.training.epochs for config in configs} == {7}


def test_what_a_variant_sets_is_not_searched(catalogue):
    plan = plan_for(catalogue, "alignrec-plus", "alignrec-plus[hard_negatives=1]", trials=2)
    assert "hard_negatives" in plan.models["alignrec-plus"].search_space
    assert "hard_negatives" not in plan.models["alignrec-plus[hard_negatives=1]"].search_space


def test_variants_of_rows_with_layers_and_of_variants():
    assert with_variants(["alignrec+sage", "alignrec[dim=32]"], ["k=5"]) == [
        *("alignrec+sage", "alignrec+sage[k=5]"),
        *("alignrec[dim=32]", "alignrec[dim=32,k=5]"),
    ]
    assert parse_row("alignrec+sage[k=5]") == RowName("alignrec", "sage", ("k=5",))
    assert split_rows("bpr[dim=32,lr=0.1],vbpr,, alignrec+sage[k=5]") == [
        "bpr[dim=32,lr=0.1]",
        "vbpr",
        "alignrec+sage[k=5]",
    ]
    assert with_variants(["content-knn", "bpr"], ["lr=0.1", "centre=false"]) == [
        *("content-knn", "content-knn[centre=false]", "bpr", "bpr[lr=0.1]"),
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("bpr[]", r"must read MODEL\[key=value,…\]"),
        ("bpr[dim=32", r"must read MODEL\[key=value,…\]"),
        ("bpr[dim=32]x", r"must read MODEL\[key=value,…\]"),
        ("bpr[dim]", r"must read MODEL\[key=value,…\]"),
        ("bpr[dim=../x]", r"must read MODEL\[key=value,…\]"),
        ("bpr[hops=3]", "hops"),
        ("bpr[dim=-1]", "dim"),
        ("svd[dim=32]", r"unknown model \(got 'svd'\)"),
    ],
)
def test_wrong_variants(catalogue, row, message):
    with pytest.raises(InputError, match=message):
        plan_for(catalogue, row)


def test_a_variant_that_no_model_has():
    with pytest.raises(InputError, match=r"no model compared has the settings of the variant 'hops=3' \(bpr\)"):
        with_variants(["bpr"], ["hops=3"])
