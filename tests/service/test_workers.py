"""What the parent of several workers does, with stand-ins for them; tests/service/test_process.py starts some."""

import multiprocessing
import os
import signal
import threading
from types import SimpleNamespace

import pytest

from alignrec_geo.errors import InputError
from alignrec_geo.service import process, workers
from alignrec_geo.service.settings import ServiceSettings
from alignrec_geo.service.workers import READY, _end_without, _Watch, _work, serve_with_workers

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")


class Worker:
    """Stands in for a process."""

    def __init__(self, alive=True, stubborn=False):
        self.pid, self.exitcode, self._alive, self._stubborn = 4_000_000, 3, alive, stubborn
        self.joined = self.killed = 0

    def is_alive(self):
        return self._alive

    def join(self, timeout=None):
        self.joined += 1
        self._alive = self._alive and self._stubborn

    def kill(self):
        self.killed += 1
        self._alive = self._stubborn = False


@pytest.fixture
def watch(tmp_path):
    return _Watch(ServiceSettings(tmp_path, timeout=0.1), None, 2, str(tmp_path))


@pytest.fixture
def sent(monkeypatch):
    """The signals that were sent, instead of sending them."""
    sent = []
    monkeypatch.setattr(workers.os, "kill", lambda pid, number: sent.append((pid, number)))
    return sent


@pytest.mark.parametrize("end", ["eof", "refused", "ready"])
def test_every_worker_opens_the_run_or_says_why_not(watch, end):
    ours, theirs = multiprocessing.Pipe(duplex=False)
    if end != "eof":
        theirs.send(READY if end == "ready" else "runs/x: no such run folder")
    theirs.close()
    if end == "ready":
        watch._await([ours])
        assert ours.closed
        return
    with pytest.raises(InputError, match="before it had opened the run" if end == "eof" else "no such run folder"):
        watch._await([ours])


def test_a_worker_that_died_is_begun_anew_unless_it_dies_at_once(watch, monkeypatch):
    begun = []
    watch._begin = lambda: begun.append(1) or SimpleNamespace(close=lambda: begun.append("closed"))
    living, dead = Worker(), Worker(alive=False)
    monkeypatch.setattr(workers.time, "monotonic", lambda: 100.0)
    watch._alive = {living: 99.0, dead: 20.0}
    watch._replace_dead()
    assert begun == [1, "closed"]
    assert list(watch._alive) == [living]
    watch._alive[dead] = 98.0
    with pytest.raises(InputError, match=r"a worker ended at once \(exit code 3\)"):
        watch._replace_dead()


def test_all_are_told_to_end_and_who_does_not_is_killed(watch, sent):
    watch._patience = 0.0
    polite, stubborn, dead = Worker(), Worker(stubborn=True), Worker(alive=False)
    watch._alive = dict.fromkeys((polite, stubborn, dead), 0.0)
    watch._end()
    assert sent == [(4_000_000, signal.SIGTERM)] * 2
    assert [worker.killed for worker in (polite, stubborn, dead)] == [0, 1, 0]
    assert stubborn.joined == 2


def test_signals_are_passed_on_until_one_ends_it(watch, sent, tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "PAUSE", 0.001)
    before = signal.getsignal(signal.SIGTERM)
    heard = []

    def begin():
        ours, theirs = multiprocessing.Pipe(duplex=False)
        theirs.send(READY)
        watch._alive[Worker()] = 0.0
        return ours

    watch._begin = begin

    def ready():
        heard.append("ready")
        signal.raise_signal(signal.SIGHUP)

    tell = watch._tell

    def told(number):
        tell(number)
        heard.append(number)
        if number == signal.SIGHUP:
            signal.raise_signal(signal.SIGTERM)

    watch._tell = told
    watch.run(ready)
    assert heard == ["ready", signal.SIGHUP, signal.SIGTERM]
    assert len(sent) == 4  # both, twice
    assert signal.getsignal(signal.SIGTERM) is before


def test_ended_before_it_was_ready(watch, sent):
    watch._begin = lambda: (watch._ended.set(), multiprocessing.Pipe(duplex=False)[0])[1]
    watch.run(lambda: pytest.fail("not ready"))


def test_the_folder_of_counts_goes_with_the_workers(tmp_path, monkeypatch):
    seen = []

    def run(watch, ready):
        seen.append(os.environ[workers.FOLDER])
        assert os.path.isdir(seen[0])
        raise InputError("no")

    monkeypatch.setattr(_Watch, "run", run)
    with pytest.raises(InputError, match="no"):
        serve_with_workers(ServiceSettings(tmp_path), None, lambda: None, 2)
    assert workers.FOLDER not in os.environ
    assert not os.path.exists(seen[0])


@pytest.fixture
def _handlers_restored():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_handlers_restored")
@pytest.mark.parametrize("late", [False, True])
def test_what_keeps_a_worker_from_opening_the_run_goes_to_the_parent(tmp_path, monkeypatch, late):
    def serve(settings, listening, ready, count, reload):
        if late:
            ready()
        raise InputError("runs/x: damaged")

    monkeypatch.setattr(process, "serve_here", serve)
    monkeypatch.setattr(workers, "_end_without", lambda parent: None)
    ours, theirs = multiprocessing.Pipe(duplex=False)
    _work(ServiceSettings(tmp_path), None, 2, os.getppid(), theirs)
    assert ours.recv() == (READY if late else "runs/x: damaged")
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_a_worker_whose_parent_has_gone_ends(sent, monkeypatch):
    slept = []
    parents = iter([7, 7, 1])
    monkeypatch.setattr(workers.os, "getppid", lambda: next(parents))
    monkeypatch.setattr(workers.time, "sleep", slept.append)
    _end_without(7)
    assert slept == [1, 1]
    assert sent == [(os.getpid(), signal.SIGTERM)]
    assert threading.current_thread() is threading.main_thread()
