"""What a branch asks of CUDA streams and in which order, with stand-ins for them; values need a GPU."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from alignrec_geo.kernels.branch import Branch


@pytest.fixture
def calls(monkeypatch):
    """What is called of streams while a graph is recorded, by their names."""
    calls = []

    class Stream:
        def __init__(self, device, name="side"):
            self.device, self.name = device, name

        def wait_stream(self, other):
            calls.append(f"{self.name} waits for {other.name}")

    @contextmanager
    def on(stream):
        calls.append(f"into {stream.name}")
        yield
        calls.append(f"out of {stream.name}")

    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Stream(device, "main"))
    monkeypatch.setattr(torch.cuda, "stream", on)
    return calls


def tensor(name, calls, is_cuda=True):
    def record(stream):
        calls.append(f"{name} is kept for {stream.name}")

    return SimpleNamespace(is_cuda=is_cuda, device="cuda:0", record_stream=record)


def test_a_branch_waits_for_its_inputs_and_is_waited_for(calls):
    first, second, result = (tensor(name, calls) for name in ("first", "second", "result"))
    branch = Branch(first, second)
    with branch:
        calls.append("work")
    calls.append("other work")
    branch.join(result)
    assert calls == [
        "side waits for main",
        "first is kept for side",
        "second is kept for side",
        "into side",
        "work",
        "out of side",
        "other work",
        "main waits for side",
        "result is kept for main",
    ]


def test_outside_of_a_recording_and_on_a_cpu_nothing_is_called(calls, monkeypatch):
    on_cpu = tensor("one", calls, is_cuda=False)
    branch = Branch(on_cpu)
    with branch:
        pass
    branch.join(on_cpu)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    branch = Branch(tensor("two", calls))
    with branch:
        pass
    branch.join()
    assert calls == []
