"""Batches made ahead, and the sums of losses, as they are used on a GPU (tensors of the CPU stand in for its own)."""

import threading

import pytest
import torch

from alignrec_geo.content.pretraining import loss_sums
from alignrec_geo.content.pretraining.loss_sums import LossSums
from alignrec_geo.content.pretraining.prefetch import prefetched
from alignrec_geo.errors import TrainingDiverged

GPU = torch.device("cuda")


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_batches_come_in_their_order_and_once(device):
    assert list(prefetched(iter(range(5)), torch.device(device))) == [0, 1, 2, 3, 4]
    assert list(prefetched(iter([]), torch.device(device))) == []


@pytest.mark.parametrize(("device", "made"), [("cpu", 1), ("cuda", 2)])
def test_one_batch_is_made_ahead_on_a_gpu_only(device, made):
    seen, second = [], threading.Event()

    def batches():
        for number in range(3):
            seen.append(number)
            if number == 1:
                second.set()
            yield number

    using = prefetched(batches(), torch.device(device))
    assert next(using) == 0
    if device == "cuda":
        assert second.wait(10)
    assert len(seen) == made
    assert list(using) == [1, 2]


def test_an_error_in_making_a_batch_is_raised_where_it_is_used():
    def batches():
        yield 0
        raise KeyboardInterrupt

    using = prefetched(batches(), GPU)
    assert next(using) == 0
    with pytest.raises(KeyboardInterrupt):
        next(using)


def test_sums_of_a_gpu_are_those_of_a_cpu(monkeypatch):
    steps = [{"a": torch.tensor(float(n)), "b": torch.tensor(2.0 * n)} for n in range(1, 5)]
    here, there = LossSums(0, torch.device("cpu")), LossSums(0, GPU)
    for terms in steps:
        assert float(here.add(terms)) == float(there.add(terms))
    assert here.means() == there.means() == {"a": 2.5, "b": 5.0}
    assert here.shown == {"a": 4.0, "b": 8.0}
    assert there.shown == {}
    monkeypatch.setattr(loss_sums, "SECONDS_BETWEEN_READS", 0.0)
    there.add(steps[0])
    assert there.shown == {"a": 2.2, "b": 4.4}


def test_a_gpu_says_at_the_next_read_that_training_diverged():
    sums = LossSums(2, GPU)
    sums.add({"words": torch.tensor(float("nan"))})
    with pytest.raises(TrainingDiverged, match=r"epoch 3: the loss is not finite \(words nan\)"):
        sums.means()
