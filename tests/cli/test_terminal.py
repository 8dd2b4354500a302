"""What a person sees in a terminal of 80 and of 120 columns, and what a log file holds."""

import os
import subprocess
import sys
import time

import pytest

from alignrec_geo.dataset import make_catalogue

pexpect = pytest.importorskip("pexpect", reason="needs pexpect, which has no pseudo-terminal here")
pyte = pytest.importorskip("pyte")

pytestmark = [
    pytest.mark.slow,  # ten processes, each of which imports torch
    pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal"),
]
PROGRAM = ["-m", "alignrec_geo.cli.app"]
WIDTHS = (80, 120)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    return make_catalogue(n_users=80, n_items=50, image_size=16).save(tmp_path_factory.mktemp("data") / "shop")


@pytest.fixture(scope="module")
def run(catalogue, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    line = [sys.executable, *PROGRAM, "train", str(catalogue.path), "--out", str(out), "--set", "epochs=2", "--quiet"]
    done = subprocess.run(line, check=True, capture_output=True, text=True)
    assert done.stderr == ""
    return out


def in_terminal(columns, *arguments):
    """Run a verb in a terminal; return the screens that were seen, the last one, and the seconds to the first words."""
    screen = pyte.Screen(columns, 60)
    stream, frames, first = pyte.ByteStream(screen), [], None
    environment = {**os.environ, "TERM": "xterm-256color", "PYTHONUNBUFFERED": "1"}
    environment.pop("NO_COLOR", None)
    started = time.monotonic()
    child = pexpect.spawn(
        sys.executable, [*PROGRAM, *map(str, arguments)], dimensions=(60, columns), env=environment, timeout=300
    )
    while True:
        try:
            stream.feed(child.read_nonblocking(65536, timeout=300))
        except pexpect.EOF:
            break
        shown = [line.rstrip() for line in screen.display if line.strip()]
        if shown and first is None:
            first = time.monotonic() - started
        frames.append(shown)
    child.close()
    assert child.exitstatus == 0, "\n".join(frames[-1])
    return frames, frames[-1], first


@pytest.mark.parametrize("columns", WIDTHS)
def test_training(catalogue, tmp_path, columns):
    options = ("--out", tmp_path / "run", "--features", "image", "--set", "epochs=40", "--set", "batch_size=8")
    frames, last, _ = in_terminal(columns, "train", catalogue.path, *options)
    assert frames[0][0] == "catalogue: 80 users, 50 items, " + frames[0][0].split(", ")[-1]
    assert any("parameters on cpu, at most 40 epochs" in " ".join(frame) for frame in frames)
    lines = {line for frame in frames for line in frame if line.startswith("epoch ")}
    later = [line for line in lines if "best" in line]
    assert later, lines
    for line in later:
        assert "recall@20 0." in line
        assert " left" in line or line.startswith("epoch 40 ")
        assert "…" not in line
        assert ("bpr" in line) == (columns == 120)
    assert not any("━" in line and line.startswith("epoch ") for line in last)  # the bar has gone
    assert any("recall" in line for line in last)
    assert "run folder" in " ".join(last)


@pytest.mark.parametrize("columns", WIDTHS)
def test_comparing(catalogue, tmp_path, columns):
    options = ("--models", "bpr,popularity", "--seeds", 2, "--set", "epochs=3", "--out", tmp_path / "out")
    frames, last, _ = in_terminal(columns, "compare", catalogue.path, *options)
    assert frames[0][0].startswith("catalogue: 80 users")
    running = [frame for frame in frames if any("bpr" in line for line in frame)]
    assert running
    assert not any("…" in line for frame in running for line in frame)
    table = [line for line in last if line.startswith("│")]
    assert [line.split("│")[1].strip() for line in table] == ["bpr", "popularity"]
    assert all("±" in line for line in table)


@pytest.mark.parametrize("columns", WIDTHS)
def test_recommending(catalogue, run, columns):
    user = catalogue.users["id"][0]
    _, last, _ = in_terminal(columns, "recommend", run, "--user", user, "-k", 12)
    table = [[cell.strip() for cell in line.strip("│").split("│")] for line in last if line.startswith("│")]
    assert [row[0] for row in table if row[0]] == [str(rank) for rank in range(1, 13)]
    assert all(row[2] in set(catalogue.items["id"]) for row in table if row[0])
    assert len({len(row) for row in table}) == 1


def test_a_log_file(catalogue, tmp_path):
    line = [sys.executable, *PROGRAM, "train", str(catalogue.path), "--out", str(tmp_path / "run"), "--set", "epochs=3"]
    done = subprocess.run(line, check=True, capture_output=True, text=True)
    lines = done.stderr.splitlines()
    assert "\x1b" not in done.stderr + done.stdout
    assert lines[0].startswith("catalogue: 80 users, 50 items")
    assert "at most 3 epochs" in lines[1]
    assert [text.split(":")[0] for text in lines[2:5]] == [f"epoch {epoch} of 3" for epoch in (1, 2, 3)]
    assert all("recall@20" in text for text in lines[2:5])
    assert len(lines) == 6  # and how the epoch was chosen


def test_what_verbose_adds(catalogue, tmp_path):
    line = [sys.executable, *PROGRAM, "train", str(catalogue.path), "--out", str(tmp_path / "run"), "--set", "epochs=1"]
    done = subprocess.run([*line, "-v"], check=True, capture_output=True, text=True)
    assert "INFO" in done.stderr
    assert "training starts: model alignrec" in " ".join(done.stderr.split())
