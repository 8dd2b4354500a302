"""The progress line: what matters stays at any width, and where nothing can be redrawn there are plain lines."""

import io

import pytest
from rich.console import Console

from alignrec_geo.cli import progress
from alignrec_geo.cli.progress import PretrainProgress, TrainingProgress
from alignrec_geo.cli.progress_bars import progress_bars, working

TERMS = {"bpr": 0.51234, "l2": 0.00012, "cca": 0.1123, "uia": 0.0512}


def trained(width, epochs=1000, at=119, **options):
    """The line that a terminal of a width shows in the seventh step of an epoch."""
    console = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None, **options)
    bar = TrainingProgress("recall@20", epochs, console)
    for epoch in range(at - 1, at + 1):
        bar.epoch_started(epoch, 140)
        for _ in range(140 if epoch < at else 7):
            bar.step_done(TERMS)
        if epoch < at:
            bar.epoch_done({"validation": {"recall@20": 0.1501}, "loss": TERMS})
            bar.epoch_done({"validation": {"recall@20": 0.1432}, "loss": TERMS})
    console.print(bar)
    (line,) = console.file.getvalue().splitlines()
    return line.rstrip()


def test_at_120_columns_everything_is_there():
    line = trained(120, epochs=6, at=2)
    for part in (
        "epoch 3 of 6",
        "━" + "┄" * 10,
        "7/140",
        "recall@20 0.1432 (best 0.1501)",
        "≤ 0:0",
        "left",
        "bpr 0.5123",
    ):
        assert part in line
    assert len(line) <= 120


@pytest.mark.parametrize("width", [80, 81, 100])
def test_at_80_columns_the_losses_go_first(width):
    line = trained(width)
    for part in ("epoch 120 of 1000 ", "┄┄┄┄┄┄┄", "best 0.1501", "left"):
        assert part in line
    assert "…" not in line
    assert len(line) <= width


def test_at_40_columns_the_epoch_and_the_time_stay():
    line = trained(40)
    assert line.startswith("epoch 120 of 1000 ┄┄┄┄ ")
    assert "left" in line
    assert len(line) <= 40
    assert trained(10)  # and nothing fails in no room at all


def test_without_a_terminal_there_is_a_line_now_and_then(monkeypatch):
    console = Console(file=io.StringIO(), width=80)
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    with TrainingProgress("recall@20", 100, console) as bar:
        for epoch in range(100):
            bar.epoch_started(epoch, 1)
            bar.step_done(TERMS)
            now += 1.0
            bar.epoch_done({"validation": {"recall@20": epoch / 1000}, "loss": TERMS})
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[0].startswith("epoch 10 of 100: recall@20 0.0090 (best 0.0090), 0:10, ")
    assert "1:30 left" in lines[0]


@pytest.mark.parametrize(("epochs", "seconds", "lines"), [(12, 0.0, 12), (1000, 0.0, 1), (1000, 31.0, 100)])
def test_a_log_file_hears_of_every_epoch_or_tenth_or_half_minute(monkeypatch, epochs, seconds, lines):
    console, now = Console(file=io.StringIO(), width=80), 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    with TrainingProgress("recall@20", epochs, console) as bar:
        for epoch in range(min(epochs, 100)):
            bar.epoch_started(epoch, 1)
            bar.step_done(TERMS)
            now += seconds
            bar.epoch_done({"loss": TERMS})
    assert len(console.file.getvalue().splitlines()) == lines


def test_a_dumb_terminal_gets_no_control_sequences(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    with TrainingProgress("recall@20", 2, console) as bar:
        bar.epoch_started(0, 1)
        bar.step_done(TERMS)
        bar.epoch_done({"loss": TERMS})
    assert "\x1b" not in console.file.getvalue()


def test_what_starts_is_said_first():
    console = Console(file=io.StringIO(), width=80)
    facts = {"model": "alignrec", "features": ["image", "text"], "parameters": 12345, "device": "cpu", "epochs": 1000}
    TrainingProgress("recall@20", 1000, console).training_started(facts)
    assert console.file.getvalue() == "alignrec with image, text: 12,345 parameters on cpu, at most 1,000 epochs\n"
    TrainingProgress("recall@20", 1000, console).training_started({**facts, "model": "popularity", "parameters": 0})
    assert console.file.getvalue().endswith("\npopularity: nothing to train\n")


def test_a_long_pass_says_every_tenth_in_a_log_file(capsys):
    with progress_bars() as report:
        report("images")(0, 100)
        told = report("texts")
        for done in range(0, 1001, 4):
            told(done, 1000)
    with working("reading clicks.csv (1.2 GB)"):
        pass
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" (")[0] for line in lines[:2]] == ["texts: 100 of 1,000", "texts: 200 of 1,000"]
    assert lines[9].startswith("texts: 1,000 of 1,000 (100 %)")
    assert lines[10:] == ["reading clicks.csv (1.2 GB)"]


def test_stage_one_shows_held_out_losses():
    console = Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None)
    bar = PretrainProgress(4, console)
    bar.epoch_started(0, 2)
    bar.step_done({"image": 0.5})
    bar.epoch_done({"held_out": {"image": 0.5, "image shuffled": 0.6, "text": 0.25}})
    console.print(bar)
    assert "held out: image 0.500, text 0.250" in console.file.getvalue()
