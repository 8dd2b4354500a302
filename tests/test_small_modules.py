"""Small modules that everything else stands on."""

import asyncio
import os
import resource
import sys
from types import SimpleNamespace

import pytest
import torch

from alignrec_geo import machine
from alignrec_geo.kernels.allocator import keep_freed_memory
from alignrec_geo.lazy import lazy_names
from alignrec_geo.machine import peak_memory_mb
from alignrec_geo.outputs import check_parents
from alignrec_geo.randomness import seeded
from alignrec_geo.reading import reading


def test_a_module_may_be_a_public_name():
    find, names = lazy_names("alignrec_geo.training", {"loop": "", "fit": "loop"})
    assert find("loop") is sys.modules["alignrec_geo.training.loop"]
    assert find("fit") is find("loop").fit
    assert {"fit", "loop"} <= set(names())


@pytest.mark.parametrize(("platform", "wanted"), [("linux", 51.2), ("darwin", 0.05)])
def test_memory_where_linux_does_not_tell(tmp_path, monkeypatch, platform, wanted):
    monkeypatch.setattr(machine, "STATUS", tmp_path / "absent")
    monkeypatch.setattr(resource, "getrusage", lambda who: SimpleNamespace(ru_maxrss=50_000))
    monkeypatch.setattr(sys, "platform", platform)
    assert peak_memory_mb() == pytest.approx(wanted)


def test_no_permission_is_said_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, how: False)  # root may write anywhere
    with pytest.raises(PermissionError, match="no permission to write in this folder") as raised:
        check_parents(tmp_path / "new" / "file")
    assert raised.value.filename == str(tmp_path)


def test_whoever_cancels_a_reader_is_not_called_a_damaged_file():
    with pytest.raises(asyncio.CancelledError), reading("a.npy", ".npy file"):
        raise asyncio.CancelledError


def test_another_allocator_is_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_freed_memory() is False


def test_the_generator_of_a_gpu_is_seeded_too(monkeypatch):
    seeds, inside = [], []

    class On:
        def __init__(self, device):
            self.device = device

        def __enter__(self):
            inside.append(self.device)

        def __exit__(self, *error):
            inside.append(None)

    monkeypatch.setattr(torch.random, "fork_rng", lambda devices: On(devices))
    monkeypatch.setattr(torch.cuda, "device", On)
    monkeypatch.setattr(torch.cuda, "manual_seed", lambda seed: seeds.append((seed, inside[-1])))
    gpu, before = torch.device("cuda", 1), torch.get_rng_state()
    with seeded(torch.Generator().manual_seed(3), gpu):
        drawn = torch.initial_seed()
    torch.set_rng_state(before)
    assert seeds == [(drawn, gpu)]
    assert inside[0] == [gpu]
