"""How many seeds a difference needs: against known noise."""

import json
import math

import numpy as np
import polars as pl
import pytest
from quality import power
from typer.testing import CliRunner

USERS, SEEDS = 4000, 40


@pytest.fixture(scope="module")
def per_user():
    """Three models of recall .1, .09 and .08; means differ by 2 % between seeds, users by .3."""
    generator, rows = np.random.default_rng(0), []
    own = generator.normal(0, 0.3, USERS)
    for model, level in (("a", 0.1), ("b", 0.09), ("c", 0.08), ("popularity", 0.5)):
        taste = generator.normal(0, 0.1, USERS)
        for seed in range(SEEDS):
            shift = 0.02 * level * generator.normal()
            value = level + shift + own - own.mean() + taste - taste.mean()
            rows.append(pl.DataFrame({"model": model, "seed": seed, "user": np.arange(USERS), "recall@20": value}))
    return pl.concat(rows)


def test_known_noise_is_found(per_user):
    found = power.measure(per_user, "recall@20")
    assert set(found["deviations"]) == {"a", "b", "c"}  # what learns nothing has no seeds
    assert found["deviation"] == pytest.approx(0.02, rel=0.15)
    assert (found["models"], found["seeds"], found["users"]) == (3, SEEDS, USERS)
    assert found["seen_by_users"] == pytest.approx(2.8016 * math.sqrt(2) * 0.1 / math.sqrt(USERS) / 0.1, rel=0.1)
    assert found["seeds_needed"]["5%"] == power.seeds_needed(found["deviation"], 0.05)


def test_needed_seeds_have_the_promised_power():
    seeds = power.seeds_needed(0.02, 0.03)
    draws = np.random.default_rng(1).normal(0, 0.02, (2, 20_000, seeds)).mean(axis=2)
    seen = np.abs(draws[0] - draws[1] + 0.03) > 1.96 * 0.02 * math.sqrt(2 / seeds)
    assert 0.8 <= seen.mean() <= 0.9
    wrong = (draws[0] - draws[1] + 0.03 < 0).mean()
    assert wrong == pytest.approx(power.wrong_order(0.02, 0.03, seeds), abs=0.005)


def test_the_program(per_user, tmp_path):
    (tmp_path / "made").mkdir()
    per_user.write_parquet(tmp_path / "made" / "per_user.parquet")
    app = power.typer.Typer()
    app.command()(power.main)
    done = CliRunner().invoke(app, ["made", "--results", str(tmp_path), "--name", "noise"])
    assert done.exit_code == 0, done.output
    stored = json.loads((tmp_path / "noise.json").read_text())
    assert stored == json.loads(done.output)
    measured = power.measure(per_user, "recall@20")  # sums over users differ in their last bits
    assert stored["comparisons"]["made"]["deviation"] == pytest.approx(measured["deviation"])
    assert stored["comparisons"]["made"]["seeds_needed"] == measured["seeds_needed"]
