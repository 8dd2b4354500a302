import pytest
from rich.console import Console

from alignrec_geo.cli.compare_progress import LiveTable, status_table
from alignrec_geo.comparison.layout import Layout
from alignrec_geo.comparison.plan import Plan
from alignrec_geo.comparison.status import ModelStatus, StatusReader, seconds_left


def test_time_left_comes_from_each_models_own_runs():
    slow = ModelStatus("slow", trials_planned=2, seeds_planned=2, trials=2, durations=[30.0, 50.0])
    fast = ModelStatus("fast", trials_planned=0, seeds_planned=3, seeds=1, durations=[1.0])
    new = ModelStatus("new", trials_planned=0, seeds_planned=1)
    assert seconds_left([slow, fast], jobs=2) == (2 * 40 + 2 * 1) / 2
    assert seconds_left([slow, fast, new], jobs=1) == pytest.approx(82 + 27)
    assert seconds_left([new], jobs=1) is None


def test_the_status_of_a_comparison(fake_compare, tmp_path):
    fake_compare("alignrec", "popularity", settings=["epochs=3", "alignrec.dim=13"], seeds=2, trials=2)
    layout = Layout(tmp_path / "out")
    running = layout.seed("popularity", 3, 0)
    running.mkdir()
    (running / "metrics.jsonl").write_text("{}\n{}\n")
    plan = Plan.load(layout.plan).model_copy(update={"seeds": 3})
    broken, popularity = StatusReader(plan, layout).read()
    assert (broken.trials, broken.seeds, broken.failed, broken.best, broken.remaining) == (2, 2, 4, None, 1)
    assert (popularity.trials_planned, popularity.seeds, popularity.remaining) == (0, 2, 1)
    assert popularity.under_way == ["seed 3, epoch 2"]
    assert popularity.durations == [1.5, 1.5]
    console = Console(width=120, record=True)
    console.print(status_table([broken, popularity], jobs=1))
    said = console.export_text()
    assert "seed 3, epoch 2" in said
    assert "time left: 3 s" in said


def test_a_terminal_gets_a_table_and_a_file_gets_lines(fake_compare):
    lines, terminal = Console(record=True, width=200), Console(record=True, width=120, force_terminal=True)
    fake_compare("popularity", seeds=1, observer=LiveTable(lines))
    assert "popularity, seed 1: training" in lines.export_text()
    fake_compare("popularity", seeds=2, observer=LiveTable(terminal))
    assert "seed 2: training" not in terminal.export_text()
