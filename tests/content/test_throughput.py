"""How fast content is encoded on a GPU, and in which precision; stand-ins for a GPU's clock."""

from contextlib import nullcontext

import pytest
import torch

from alignrec_geo.content import throughput as module
from alignrec_geo.content.encoders.running import in_half_precision
from alignrec_geo.content.throughput import Throughput

GPU = torch.device("cuda", 0)


def test_the_share_in_which_a_gpu_encodes(monkeypatch):
    """Two batches of a quarter of a second each, in a pass of a second."""
    clock, waited = iter([0.0, 250.0, 400.0, 650.0]), []

    class Event:
        def __init__(self, enable_timing):
            assert enable_timing

        def record(self):
            self.at = next(clock)

        def synchronize(self):
            waited.append(self.at)

        def elapsed_time(self, end):
            return end.at - self.at

    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(module.time, "perf_counter", iter([10.0, 11.0]).__next__)
    counted = Throughput("images")
    with counted.running():
        for size in (64, 36):
            with counted.encoding(size, GPU):
                pass
    assert counted.busy == pytest.approx(0.5)
    assert waited == [650.0]
    assert str(counted) == "100 images encoded, 100 a second, GPU busy 50 %"


@pytest.mark.filterwarnings("ignore:CUDA is not available")
@pytest.mark.parametrize("overflows", [False, True])
def test_float32_where_half_precision_overflows(overflows):
    calls = []

    def encode():
        calls.append(torch.is_autocast_enabled("cuda"))
        return torch.ones(2), torch.tensor([float("inf") if overflows and len(calls) == 1 else 2.0])

    found = in_half_precision(encode, GPU)
    assert len(calls) == 1 + overflows
    assert [part.tolist() for part in found] == [[1.0, 1.0], [2.0]]


def test_a_cpu_encodes_once():
    calls = []
    in_half_precision(lambda: (calls.append(1), torch.ones(1))[1:], torch.device("cpu"))
    assert calls == [1]
