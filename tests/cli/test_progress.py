"""The progress line: what matters stays at any width, and where nothing can be redrawn there are plain lines."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from alignrec_geo.cli import compare_progress, progress
from alignrec_geo.cli import progress_bars as bars
from alignrec_geo.cli.compare_progress import LiveTable
from alignrec_geo.cli.progress import PretrainProgress, TrainingProgress
from alignrec_geo.cli.progress_bars import counting, progress_bars, working

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
    TrainingProgress("recall@20", 1000, console).training_started({**facts, "new_items": 1200, "placed": 1100})
    new = "\n1,200 items have no training interaction: "
    assert console.file.getvalue().endswith(f"{new}1,100 of them are placed by their content\n")
    TrainingProgress("recall@20", 1000, console).training_started({**facts, "new_items": 1200, "placed": 0})
    unknown = "this model knows nothing of them, and finds them by chance at best"
    assert console.file.getvalue().endswith(f"{new}{unknown}\n")


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


@pytest.fixture
def terminal(monkeypatch):
    """What is drawn on a terminal."""
    monkeypatch.setenv("TERM", "xterm")
    console = Console(file=io.StringIO(), force_terminal=True, width=100, color_system=None)
    monkeypatch.setattr(bars, "stderr", console)
    return console.file


def test_bars_on_a_terminal(terminal):
    with progress_bars() as report:
        report("images [b]")(30, 120)
        report("texts")(0, 10)
    shown = terminal.getvalue()
    assert "images [b]" in shown
    assert "30/120" in shown
    assert "0/10" in shown
    terminal.truncate(0)
    with working("reading clicks.csv (1.2 GB)"):
        pass
    assert "reading clicks.csv (1.2 GB)" in terminal.getvalue()
    terminal.truncate(0)
    with counting("rows") as say:
        say("reading [a]", 12_000)
    assert "reading [a]: 12,000 rows" in terminal.getvalue()


def test_time_left_is_unknown_before_the_first_step():
    console = Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None)
    bar = TrainingProgress("recall@20", 10, console)
    bar.epoch_started(0, 140)
    console.print(bar)
    assert "left" not in console.file.getvalue()
    bar.step_done(TERMS)
    console.print(bar)
    assert "left" in console.file.getvalue()


def test_a_comparison_in_a_log_says_what_was_pruned_and_what_was_exhausted(monkeypatch):
    said = io.StringIO()
    table = LiveTable(Console(file=said, width=200))
    run = SimpleNamespace(model="bpr", label="trial 3", folder="runs/3")
    monkeypatch.setattr(compare_progress, "error_of", lambda folder: None)
    monkeypatch.setattr(compare_progress, "pruned", lambda folder: (12, 0.03125))
    table.run_ended(run)
    status = SimpleNamespace(model="bpr", trials_planned=4)
    table._reader = SimpleNamespace(read=lambda: [status], plan=SimpleNamespace(trials=9))
    table.trials_ended("bpr")
    status.trials_planned = 9
    table.trials_ended("bpr")
    assert said.getvalue().splitlines() == [
        "bpr, trial 3: pruned after 12 epochs, at 0.0312",
        "bpr: its search space was exhausted after 4 trials",
    ]
    on_terminal = Console(file=io.StringIO(), force_terminal=True, width=80)
    LiveTable(on_terminal).run_ended(run)
    assert on_terminal.file.getvalue() == ""  # the table counts it


@pytest.mark.parametrize(
    ("seconds", "words"), [(12.4, "12 s"), (200, "3 min 20 s"), (3725, "1 h 02 min"), (7200, "2 h 00 min")]
)
def test_durations(seconds, words):
    assert compare_progress._duration(seconds) == words
