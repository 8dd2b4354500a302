"""How ranks are started, joined and ended, with stand-ins for the launcher and for torch's rendezvous."""

import logging
import os
import signal
import sys
from types import SimpleNamespace

import pytest
import torch
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from alignrec_geo.cli import ranks
from alignrec_geo.cli.output import stderr
from alignrec_geo.distributed import join
from alignrec_geo.distributed.group import current
from alignrec_geo.errors import InputError, RankLost
from alignrec_geo.ranks import OURS


@pytest.fixture
def called(monkeypatch):
    """What is asked of torch while a second rank of three joins."""
    called = []
    place = SimpleNamespace(rank=1, size=3, local_rank=1, restarts=2)
    monkeypatch.setattr(join, "launched", lambda: place)
    monkeypatch.setattr(join, "_end_with_launcher", lambda: called.append("watch"))
    monkeypatch.setattr(join, "rendezvous", lambda where: iter([(where, 1, 3)]))
    monkeypatch.setattr(join, "PrefixStore", lambda prefix, store: (prefix, store))
    monkeypatch.setattr(join.dist, "init_process_group", lambda kind, **given: called.append((kind, given)))
    monkeypatch.setattr(join.dist, "destroy_process_group", lambda: called.append("left"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda number: called.append(("device", number)))
    return called


@pytest.mark.parametrize(("device", "kind"), [("cpu", "gloo"), ("cuda", "nccl")])
def test_a_rank_joins_the_others_and_leaves_them(called, device, kind):
    with join.joined(device) as group:
        assert (group.rank, group.size, group.local_rank) == (1, 3, 1)
        assert current() is group
    assert current() is None
    asked = {"store": ("start 2", "env://"), "rank": 1, "world_size": 3}  # ranks started anew meet among themselves
    assert called == [*([("device", 1)] if device == "cuda" else []), "watch", (kind, asked), "left"]


def test_every_rank_needs_a_gpu_of_its_own(called, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(InputError, match=r"this machine has 1 \(got ranks 2 and more\)"), join.joined("cuda"):
        pass
    assert called == []


def test_ranks_that_do_not_find_each_other(called, monkeypatch):
    def refuse(where):
        raise RuntimeError("timed out")

    monkeypatch.setattr(join, "rendezvous", refuse)
    with pytest.raises(RankLost, match="the ranks do not find each other: timed out"), join.joined():
        pass
    assert "left" not in called


def test_an_error_of_a_rank_is_told_before_it_leaves(called):
    with pytest.raises(ZeroDivisionError), join.joined():
        raise ZeroDivisionError
    assert "left" not in called


def test_a_rank_ends_with_its_launcher(monkeypatch):
    parents, codes, slept = iter([7, 7, 7, 1]), [], []
    monkeypatch.setattr(join.os, "getppid", lambda: next(parents))
    monkeypatch.setattr(join.os, "_exit", codes.append)
    monkeypatch.setattr(join.time, "sleep", slept.append)
    monkeypatch.setattr(
        join.threading, "Thread", lambda target, name, daemon: SimpleNamespace(start=lambda: daemon and target())
    )
    join._end_with_launcher()
    assert codes == [1]
    assert slept == [join.LOOK] * 2


@pytest.fixture
def launch(monkeypatch):
    """Start three ranks by a launcher that ends as it is told; gives what it was asked for, the code and the text."""

    def start(out, ends=None):
        asked = {}

        def launcher(config, program):
            def run(*line):
                handler = signal.getsignal(signal.SIGTERM)
                asked.update(config=config, line=(program, *line), environment=dict(os.environ))
                signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as torch sets one of its own
                asked["changed"] = signal.getsignal(signal.SIGTERM) is not handler
                if ends is not None:
                    raise ends

            return run

        monkeypatch.setattr("torch.distributed.launcher.api.elastic_launch", launcher)
        monkeypatch.setattr(sys, "argv", ["alignrec-geo", "train", "data", "--ranks", "3"])
        return asked, lambda: ranks.start_ranks(3, out)

    names = [name for name in logging.root.manager.loggerDict if name.startswith("torch.distributed.elastic")]
    before = {name: logging.getLogger(name).disabled for name in names}
    yield start
    for name, disabled in before.items():
        logging.getLogger(name).disabled = disabled
    stderr.quiet = False


def test_the_same_command_line_runs_as_several_ranks(launch, tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    ours = (OURS, "PYTHONPATH", "OMP_NUM_THREADS")
    before, handler = {name: os.environ.get(name) for name in ours}, signal.getsignal(signal.SIGTERM)
    asked, start = launch(tmp_path)
    start()
    assert asked["line"] == (sys.executable, "-P", "-m", "alignrec_geo", "train", "data", "--ranks", "3")
    config = asked["config"]
    assert (config.nproc_per_node, config.max_restarts, config.local_addr) == (3, 0, "127.0.0.1")
    assert asked["environment"][OURS] == "1"
    assert asked["environment"]["OMP_NUM_THREADS"] == "2"  # their share of seven
    assert {name: os.environ.get(name) for name in ours} == before
    assert asked["changed"]
    assert signal.getsignal(signal.SIGTERM) is handler


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ranks_that_were_stopped_say_how_to_go_on(launch, tmp_path, capsys, number, code):
    _, start = launch(tmp_path, SignalException("stopped", number))
    with pytest.raises(SystemExit) as stop:
        start()
    assert stop.value.code == code
    assert capsys.readouterr().err.startswith("stopped; no epoch was finished")


@pytest.mark.parametrize(("code", "hint"), [(2, False), (1, True)])
def test_ranks_that_failed_are_one_line(launch, tmp_path, capsys, code, hint):
    (tmp_path / "config.yaml").touch()
    failed = ChildFailedError.__new__(ChildFailedError)  # whose maker words a report of many lines
    failed.failures = {0: SimpleNamespace(exitcode=code, message="loss is nan")}
    _, start = launch(tmp_path, failed)
    with pytest.raises(SystemExit) as stop:
        start()
    assert stop.value.code == code
    said = capsys.readouterr().err
    assert said.startswith("error: loss is nan")
    assert said.count("\n") == 1
    assert ("go on with --resume" in said) == hint
