"""How commands end: one line and an exit code for whatever is not a fault of the program."""

import errno
import io
import os
import resource
import signal
import subprocess
import sys
import threading
import warnings

import pytest
import torch
import typer

from alignrec_geo.cli import boundary
from alignrec_geo.cli.app import main
from alignrec_geo.cli.boundary import TRACEBACK, guarded
from alignrec_geo.cli.output import print_notes
from alignrec_geo.cli.stop import Stopped, stopping
from alignrec_geo.cli.warned import one_line_warnings
from alignrec_geo.errors import FetchError, InputError, TrainingDiverged


def raising(error):
    def run():
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (InputError("no such\nthing \x1b[31m[/b] (got 'x')"), 2, "no such thing \\x1b[31m[/b] (got 'x')"),
        (TrainingDiverged("loss is nan"), 1, "loss is nan"),
        (FetchError("no network"), 1, "no network"),
        (OSError(errno.ENOSPC, "No space left on device", "/data/x"), 1, "/data/x: No space left on device; free"),
        (PermissionError(errno.EACCES, "Permission denied", b"/data/\xff"), 1, "/data/\\udcff: Permission denied"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "/data"), 1, "/data: Is a directory"),
        (OSError("odd"), 1, "odd"),
        (MemoryError(), 1, "not enough memory"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), 1, "2.00 GiB more needed"),
        (RecursionError("maximum recursion depth exceeded"), 1, "nested too deeply"),
        (typer.BadParameter("wrong"), 2, "wrong"),
    ],
)
def test_failures_are_one_line(error, code, words, capsys):
    assert guarded(raising(error)) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert words in said.err
    assert said.err.count("\n") == 1


def test_a_line_has_an_end(capsys):
    assert guarded(raising(InputError("unknown user '" + "x" * 1_000_000 + "' (got it)"))) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: unknown user 'xxx")
    assert said.endswith("' (got it)\n")
    assert len(said) < 2100


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 1),
        (typer.Exit(3), 3),
        (SystemExit(4), 4),
        (SystemExit(None), 0),
    ],
)
def test_what_needs_no_words(error, code, capsys):
    assert guarded(raising(error)) == code
    assert capsys.readouterr().err == ""


def test_a_fault_of_the_program_leaves_its_traceback_in_a_log(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert guarded(raising(ZeroDivisionError("division by zero"))) == 1
    said = capsys.readouterr().err
    (log,) = tmp_path.iterdir()
    assert "unexpected ZeroDivisionError: division by zero" in said
    assert str(log) in said
    assert "Traceback" not in said
    assert "Traceback" in log.read_text()
    monkeypatch.setenv(TRACEBACK, "1")
    with pytest.raises(ZeroDivisionError):
        guarded(raising(ZeroDivisionError()))


def test_failures_in_other_threads_are_one_line(capsys):
    def run():
        thread = threading.Thread(target=raising(OSError(errno.EIO, "Input/output error", "/data/x")))
        thread.start()
        thread.join()

    assert guarded(run) == 0
    assert capsys.readouterr().err.startswith("warning: /data/x: Input/output error; the disk")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_signals_end_as_ctrl_c_does(number, code, capsys):
    before = signal.signal(number, signal.SIG_DFL)  # nohup has the tests ignore SIGHUP
    seen = []

    def run():
        try:
            os.kill(os.getpid(), number)
        except KeyboardInterrupt as stop:
            seen.append(stop)
            os.kill(os.getpid(), number)  # a second one at once does not disturb what is being put in order
            seen.append("in order")
            raise OSError(errno.EIO, "the terminal is gone") from stop

    try:
        assert guarded(run) == code
    finally:
        signal.signal(number, before)
    assert isinstance(seen[0], Stopped)
    assert seen[1] == "in order"
    assert capsys.readouterr().err == ""
    assert signal.getsignal(number) is signal.SIG_DFL


def test_a_signal_that_is_ignored_stays_ignored():
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopping() as received:
            os.kill(os.getpid(), signal.SIGHUP)
        assert received == []
    finally:
        signal.signal(signal.SIGHUP, former)


def program(*args, stdout=subprocess.PIPE, limit=None):
    """The program in a process, in which files may grow to ``limit`` bytes.

    Also those of coverage, which stays out, and compiled modules, which Python would cut off and leave behind.
    """
    environment = {
        name: value for name, value in os.environ.items() if limit is None or not name.startswith("COVERAGE_")
    }
    if limit is not None:
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
    return subprocess.run(
        [sys.executable, "-m", "alignrec_geo.cli.app", *map(str, args)],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env=environment,
        preexec_fn=None if limit is None else lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_standard_output_that_takes_nothing():
    with open("/dev/full", "w") as full:
        done = program("data", "fetch", "--list", stdout=full)
    assert done.returncode == 1
    assert done.stderr.startswith("error: standard output: No space left on device")
    assert done.stderr.count("\n") == 1
    read, write = os.pipe()
    os.close(read)
    done = program("data", "fetch", "--list", "--json", stdout=write)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.slow
def test_a_full_disk_while_training(tmp_path):
    from alignrec_geo.dataset import make_catalogue

    data = make_catalogue(n_users=40, n_items=30, image_size=16).save(tmp_path / "data")
    done = program("train", data.path, "--out", tmp_path / "run", "--set", "dim=8", "--set", "epochs=1", limit=4096)
    assert done.returncode == 1, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert str(tmp_path / "run") in errors[0]
    assert "ulimit -f" in errors[0]
    assert "Traceback" not in done.stderr


def test_a_fault_is_shown_where_no_log_can_be_written(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
    assert guarded(raising(ZeroDivisionError("division by zero"))) == 1
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "ZeroDivisionError: division by zero" in said


def test_faults_in_other_threads_and_deletions_are_shown_as_ever(monkeypatch):
    shown = []
    monkeypatch.setattr(threading, "excepthook", lambda found: shown.append(("thread", found.exc_value)))
    monkeypatch.setattr(sys, "unraisablehook", lambda found: shown.append(("deletion", found.exc_value)))
    fault, pipe = ZeroDivisionError("x"), BrokenPipeError(errno.EPIPE, "Broken pipe")
    full = OSError(errno.ENOSPC, "No space left on device")

    class Leaving:
        def __init__(self, error):
            self.error = error

        def __del__(self):
            raise self.error

    def run():
        for error in (fault, pipe):
            thread = threading.Thread(target=raising(error))
            thread.start()
            thread.join()
        for error in (fault, full):
            Leaving(error)

    assert guarded(run) == 0
    assert shown == [("thread", fault), ("deletion", fault)]  # a reader that has gone, and a full disk, say nothing


def test_a_stream_that_takes_nothing_is_dropped(tmp_path):
    with (tmp_path / "f").open("w") as file:
        file.write("x")
        read_only = os.open(tmp_path / "f", os.O_RDONLY)
        os.dup2(read_only, file.fileno())
        os.close(read_only)
        boundary._settle(file)
        file.write("more")  # goes nowhere, without a word
    boundary._settle(io.StringIO())


def test_closed_streams_and_the_version(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["alignrec-geo", "--version"])
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setattr(sys, "stdout", None)
    main()
    assert sys.stdout.getvalue().startswith("alignrec-geo ")
    assert sys.stderr.getvalue() == ""


def test_a_shell_asks_what_may_follow(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["alignrec-geo"])
    monkeypatch.setenv("_ALIGNREC_GEO_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "alignrec-geo rec")
    monkeypatch.setenv("COMP_CWORD", "1")
    main()
    assert capsys.readouterr().out.split() == ["recommend"]


def test_warnings_of_users_are_one_line_and_others_as_they_are(capsys, monkeypatch):
    usual = []
    monkeypatch.setattr(warnings, "showwarning", lambda message, *rest, **more: usual.append(str(message)))
    with warnings.catch_warnings(), one_line_warnings():
        warnings.simplefilter("always")
        warnings.warn("pass overwrite=True", UserWarning, stacklevel=1)
        warnings.warn("use something else", DeprecationWarning, stacklevel=1)
    assert capsys.readouterr().err == "warning: pass --overwrite\n"
    assert usual == ["use something else"]


def test_notes_have_an_end(capsys):
    print_notes(f"row {number}" for number in range(13))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 11
    assert lines[-1] == "note: … and 3 more (all are in dataset.json)"
