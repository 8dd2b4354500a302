import numpy as np
import polars as pl
import pytest
import torch
from scipy.stats import wilcoxon

from alignrec_geo.errors import InputError
from alignrec_geo.evaluation import significance
from alignrec_geo.evaluation.significance import holm, paired_comparison

METRIC = "recall@20"


def table(values: dict[str, np.ndarray]) -> pl.DataFrame:
    """Per-user metrics from ``{model: [seeds, users]}``."""
    return pl.concat(
        pl.DataFrame({"model": model, "user": [f"u{row}" for row in range(len(line))], METRIC: line}).with_columns(
            seed=pl.lit(seed)
        )
        for model, lines in values.items()
        for seed, line in enumerate(lines)
    )


def rows(**values: np.ndarray) -> dict[str, dict]:
    return {row["baseline"]: row for row in paired_comparison(table(values), "ours", METRIC)}


RNG = np.random.default_rng(5)
BASE = RNG.integers(0, 3, (3, 400)) / 4


def test_equal_tables_have_p_1_and_difference_0():
    got = rows(ours=BASE, theirs=BASE[[2, 0, 1]])  # the same values, the seeds in another order
    assert got["theirs"] == {
        "baseline": "theirs",
        "metric": METRIC,
        "difference": 0.0,
        "low": 0.0,
        "high": 0.0,
        "p": 1.0,
        "p_holm": 1.0,
        "users": 400,
    }


def test_difference_is_that_of_the_means_over_seeds_and_users():
    ours = BASE + RNG.normal(0.02, 0.1, BASE.shape)
    got = rows(ours=ours, theirs=BASE[:2])["theirs"]  # also where a seed of one model is missing
    assert got["difference"] == pytest.approx(ours.mean() - BASE[:2].mean())
    assert got["low"] < got["difference"] < got["high"]
    other_way = paired_comparison(table({"ours": ours, "theirs": BASE[:2]}), "theirs", METRIC)[0]
    assert other_way["difference"] == pytest.approx(-got["difference"])
    assert other_way["p"] == pytest.approx(got["p"])


def test_p_is_scipys_and_holm_goes_over_the_baselines():
    models = {f"b{shift}": BASE + (RNG.random(BASE.shape) < 0.1) * 0.05 * shift for shift in (0, 1, 2)}
    got = rows(ours=BASE, **models)
    assert list(got) == ["b0", "b1", "b2"]
    for name in ("b1", "b2"):
        difference = np.sort(BASE, axis=0).mean(axis=0) - np.sort(models[name], axis=0).mean(axis=0)
        expected = wilcoxon(difference, zero_method="pratt", method="asymptotic").pvalue
        assert got[name]["p"] == pytest.approx(expected, rel=1e-6)
    assert [row["p_holm"] for row in got.values()] == pytest.approx(holm(np.array([r["p"] for r in got.values()])))
    assert got["b0"]["p"] == 1.0


@pytest.mark.parametrize("block", [1, 1000, 1 << 20])
def test_interval_has_the_width_of_the_standard_error_for_any_block(monkeypatch, block):
    monkeypatch.setattr(significance, "BLOCK_DRAWS", block)
    difference = RNG.normal(0.05, 1.0, (1, 300))
    got = rows(ours=difference, theirs=np.zeros((1, 300)))["theirs"]
    half = 1.96 * difference.std() / np.sqrt(300)
    assert got["high"] - got["low"] == pytest.approx(2 * half, rel=0.1)
    assert (got["high"] + got["low"]) / 2 == pytest.approx(difference.mean(), abs=0.15 * half)


def test_the_interval_is_that_of_2000_resamples_from_the_seed():
    difference = np.random.default_rng(1).normal(0.05, 1.0, (1, 60))
    got = rows(ours=difference, theirs=np.zeros((1, 60)))["theirs"]
    assert (got["low"], got["high"]) == pytest.approx((-0.21457273025179066, 0.22235325227271815), abs=1e-9)


@pytest.mark.parametrize("block", [1, 7, 999])
def test_every_resample_counts_once_whatever_the_block(monkeypatch, block):
    """One user: each resample is that user, and so is every quantile."""
    drawn = []
    plain = torch.randint

    def counting(high, size, **options):
        drawn.append(size[0])
        return plain(high, size, **options)

    monkeypatch.setattr(significance, "BLOCK_DRAWS", block * 2)
    monkeypatch.setattr(torch, "randint", counting)
    rows(ours=np.array([[0.25, 0.5]]), theirs=np.array([[0.5, 0.0]]))
    assert sum(drawn) == 2000
    assert max(drawn) == block


def test_repeatable_whatever_the_order_of_the_rows():
    frame = table({"ours": BASE, "theirs": BASE + RNG.normal(0, 0.1, BASE.shape), "third": BASE[:1]})
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=1)
    assert paired_comparison(frame, "ours", METRIC) == paired_comparison(shuffled, "ours", METRIC)


def test_only_users_that_all_models_have_are_paired():
    frame = table({"ours": BASE, "theirs": BASE[:, :100]})
    assert paired_comparison(frame, "ours", METRIC)[0]["users"] == 100


def test_holm_by_hand():
    assert holm(np.array([0.04, 0.01, 0.03, 0.5])).tolist() == pytest.approx([0.09, 0.04, 0.09, 0.5])
    assert holm(np.array([0.9, 0.8])).tolist() == [1.0, 1.0]


def test_a_single_model_has_nothing_to_be_compared_with():
    assert paired_comparison(table({"ours": BASE}), "ours", METRIC) == []


@pytest.mark.parametrize(
    ("values", "reference", "metric", "message"),
    [
        (BASE, "theirs", METRIC, r"reference is not among the models \(got 'theirs'\).*: ours"),
        (BASE, "ours", "ndcg@7", "lack the column 'ndcg@7'"),
        (np.array([[np.nan]]), "ours", METRIC, "missing or infinite 'recall@20'"),
    ],
)
def test_refusals(values, reference, metric, message):
    with pytest.raises(InputError, match=message):
        paired_comparison(table({"ours": values}), reference, metric)


def test_models_without_a_common_user_are_refused():
    frame = table({"ours": BASE})
    with pytest.raises(InputError, match="no user in common"):
        paired_comparison(
            pl.concat([frame, frame.with_columns(pl.lit("x").alias("model"), pl.lit("else").alias("user"))]),
            "ours",
            METRIC,
        )
