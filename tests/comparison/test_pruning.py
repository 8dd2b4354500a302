"""The median rule on logs of epochs."""

import json
from types import SimpleNamespace

import pytest

from alignrec_geo.comparison.layout import Layout
from alignrec_geo.comparison.pruning import STARTUP, WARMUP, MedianRule, best_until, curve, mark_pruned
from alignrec_geo.comparison.run import COST, is_over, pruned

METRIC = "recall@20"


def write(folder, values, finished=False, every=1):
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for epoch, value in enumerate(values):
        validated = {"validation": {METRIC: value}} if (epoch + 1) % every == 0 else {}
        lines.append(json.dumps({"epoch": epoch, "loss": {}, "seconds": 1.0, **validated}) + "\n")
    (folder / "metrics.jsonl").write_text("".join(lines))
    if finished:
        (folder / COST).write_text("{}")


def run(layout, number):
    config = SimpleNamespace(training=SimpleNamespace(metric=METRIC))
    return SimpleNamespace(model="m", folder=layout.trial("m", number), config=config)


@pytest.fixture
def layout(tmp_path):
    """Four finished trials that end at 0.1, 0.2, 0.3 and 0.4, evenly; the first of them after half of the epochs."""
    made = Layout(tmp_path)
    for number in range(STARTUP):
        end = 0.1 * (number + 1)
        write(made.trial("m", number), [end * (n + 1) / 20 for n in range(20)][: 10 if number == 0 else 20], True)
    return made


def test_who_is_behind_is_stopped_after_the_first_such_epoch(layout):
    rule, late = MedianRule(layout), run(layout, 9)
    write(late.folder, [0.3] * WARMUP)
    assert rule.behind(late) is None  # ahead, and in the warm-up
    write(late.folder, [0.01] * 18)
    assert rule.behind(late) == (WARMUP + 1, 0.01)
    write(late.folder, [0.2] * 18)
    assert rule.behind(late) == (17, 0.2)  # the median of 0.05, 0.17, 0.255 and 0.34
    assert rule.behind(late) is None  # nothing new was written
    write(late.folder, [0.24, *[0.01] * 17])  # the best so far counts
    assert rule.behind(late) is None or rule.behind(late)[0] > 17


def test_too_few_trials_to_compare_with(layout):
    (layout.trial("m", 0) / COST).unlink()
    late = run(layout, 9)
    write(late.folder, [0.01] * 20)
    assert MedianRule(layout).behind(late) is None


def test_curves(tmp_path):
    write(tmp_path / "run", [0.1, 0.3, 0.2, 0.4], every=2)
    assert curve(tmp_path / "run", METRIC) == [(2, 0.3), (4, 0.4)]
    assert curve(tmp_path / "run", "absent") == []
    assert curve(tmp_path / "absent", METRIC) == []
    assert best_until([(2, 0.3)], 1) < 0


def test_a_pruned_trial_keeps_its_log_and_nothing_to_go_on_from(tmp_path):
    write(tmp_path, [0.1])
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "embeddings.safetensors").write_text("x")
    mark_pruned(tmp_path, 1, 0.1)
    assert {path.name for path in tmp_path.iterdir()} == {"metrics.jsonl", "pruned.json"}
    assert is_over(tmp_path)
    assert pruned(tmp_path) == (1, 0.1)


def test_a_trial_that_ended_meanwhile_is_not_marked(tmp_path):
    write(tmp_path, [0.1], finished=True)
    mark_pruned(tmp_path, 1, 0.1)
    assert pruned(tmp_path) is None
    assert not (tmp_path / "pruned.json").exists()
