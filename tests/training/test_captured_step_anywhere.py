"""The order of calls of a captured step, its buffers and what it undoes, without a GPU.

What a CUDA graph records is run again by the stand-in for it: a replayed step must do what an eager one does. That
recording itself gives the same numbers is what tests/training/test_captured_step.py asks of a GPU.
"""

import warnings
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch

from alignrec_geo.dataset import make_catalogue
from alignrec_geo.models import MODELS, Batch
from alignrec_geo.training import captured_step
from alignrec_geo.training.captured_step import CapturedStep, make_step
from alignrec_geo.training.config import TrainingConfig
from alignrec_geo.training.optimizer import make_optimizer
from alignrec_geo.training.step import EagerStep


class Graph:
    """Stands in for ``torch.cuda.CUDAGraph``: runs again what was run while it recorded."""

    recording = None

    def __init__(self):
        self.calls, self.generators, self.replays = [], [], 0

    def register_generator_state(self, generator):
        self.generators.append(generator)

    def capture_begin(self):
        assert Graph.recording is None
        Graph.recording = self

    def capture_end(self):
        Graph.recording = None

    def replay(self):
        self.replays += 1
        for call in self.calls:
            call()


class Step(CapturedStep):
    """Counts its steps, and tells a graph that records of them."""

    made = 0

    def _step(self, batch):
        self.made += 1
        if Graph.recording is not None:
            Graph.recording.calls.append(lambda: EagerStep._step(self, batch))
        super()._step(batch)


@pytest.fixture(autouse=True)
def modes(monkeypatch):
    """A GPU's interface on a CPU; the modes of synchronisation that were set."""
    stream = SimpleNamespace(wait_stream=lambda other: None)
    modes = [0]
    fakes = {
        "CUDAGraph": Graph,
        "Stream": lambda device: stream,
        "current_stream": lambda device: stream,
        "stream": lambda stream: nullcontext(),
        "synchronize": lambda device: None,
        "get_sync_debug_mode": lambda: modes[-1],
        "set_sync_debug_mode": modes.append,
        "default_generators": (torch.default_generator,),
    }
    for name, fake in fakes.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    monkeypatch.setattr(
        captured_step,
        "_generators",
        lambda model: [v for m in model.modules() for v in vars(m).values() if isinstance(v, torch.Generator)],
    )
    return modes


@pytest.fixture(scope="module")
def data():
    return make_catalogue(n_users=60, n_items=40, image_size=16, seed=2)


def batches(sizes=(32, 32, 17, 32)):
    generator = torch.Generator().manual_seed(0)
    for size in sizes:
        yield Batch(*(torch.randint(n, (size,), generator=generator) for n in (60, 40, 40)), 32)


def trained(data, name, kind, **config):
    """The model and its step after two epochs."""
    model = MODELS[name].from_dataset(data, config=config, seed=1).train()
    step = kind(model, make_optimizer(model, TrainingConfig(weight_decay=0.01)))
    for epoch in range(2):
        model.start_epoch(epoch, torch.Generator().manual_seed(epoch))
        step.start(epoch)
        torch.manual_seed(epoch)  # layers of others draw from the global generator
        for one in batches():
            step.run(one)
    return model, step


@pytest.mark.parametrize("name", ["alignrec", "freedom", "bm3"])
def test_warm_up_and_recording_leave_no_trace(data, name, modes):
    """With dropout of its own, moments of Adam, sums of terms, and (FREEDOM) another graph in every epoch."""
    eager_model, eager = trained(data, name, EagerStep)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model, step = trained(data, name, Step)
    assert step.means() == eager.means()
    for (where, value), other in zip(eager_model.state_dict().items(), model.state_dict().values(), strict=True):
        assert torch.equal(value, other), where
    assert modes[-1] == 0
    assert "error" in modes


def test_one_graph_per_size_recorded_anew_for_another_graph(data):
    _, step = trained(data, "lightgcn", Step)
    assert {size: recorded.graph.replays for size, recorded in step._graphs.items()} == {32: 6, 17: 2}
    # 3 steps of warm-up for the first size, 1 for the other, and for both one that looks and one that is recorded
    assert step.made == 3 + 1 + 2 * 2
    _, step = trained(data, "freedom", Step)
    assert {size: recorded.graph.replays for size, recorded in step._graphs.items()} == {32: 3, 17: 1}


def test_batches_come_into_the_buffers_that_were_recorded(data):
    _, step = trained(data, "lightgcn", Step)
    recorded = step._graphs[32]
    places = [column.data_ptr() for column in recorded.columns]
    (one,) = batches([32])
    step.run(one)
    assert [column.data_ptr() for column in recorded.batch[:3]] == places
    assert all(torch.equal(*pair) for pair in zip(recorded.columns, one[:3], strict=True))
    assert recorded.columns[0].data_ptr() != one.users.data_ptr()


def test_generators_of_dropout_are_registered(data):
    model, step = trained(data, "bm3", Step)
    own = captured_step._generators(model)
    assert own
    assert all(set(map(id, own)) == set(map(id, one.graph.generators)) for one in step._graphs.values())


class Refuses(Step):
    """Meets an error where something is asked for: while it looks (``before``), or while it records."""

    before = True

    def _step(self, batch):
        if Graph.recording is not None or (self.before and torch.cuda.get_sync_debug_mode() == "error"):
            raise RuntimeError("called a synchronizing CUDA operation\nwith more lines")
        super()._step(batch)


@pytest.mark.parametrize("before", [True, False])
def test_what_cannot_be_recorded_is_stepped_operation_by_operation(data, before, monkeypatch, modes):
    monkeypatch.setattr(Refuses, "before", before)
    eager_model, eager = trained(data, "bm3", EagerStep)
    with pytest.warns(UserWarning, match="the step of BM3 cannot run as one CUDA graph .*: called a sync.*$") as told:
        model, step = trained(data, "bm3", Refuses)
    assert len(told) == 1
    assert modes[-1] == 0
    assert Graph.recording is None
    assert not step._graphs
    assert step.means() == eager.means()
    for value, other in zip(eager_model.state_dict().values(), model.state_dict().values(), strict=True):
        assert torch.equal(value, other)


def test_a_cpu_is_stepped_operation_by_operation(data):
    model = MODELS["bpr"].from_dataset(data)
    assert type(make_step(model, make_optimizer(model, TrainingConfig()), capture=True)) is EagerStep
