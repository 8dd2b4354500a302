"""What makes a step fit for one CUDA graph, shown without a GPU: no value is read back, no shape depends on values."""

import copy
from types import SimpleNamespace

import pytest
import torch
from torch._subclasses.fake_tensor import DynamicOutputShapeException, FakeTensorMode

from alignrec_geo.dataset import make_catalogue
from alignrec_geo.errors import TrainingDiverged
from alignrec_geo.kernels import backends
from alignrec_geo.kernels.fixed_shapes import use_fixed_shapes
from alignrec_geo.models import MODELS, Batch
from alignrec_geo.nn.losses import LOSSES
from alignrec_geo.training.config import TrainingConfig
from alignrec_geo.training.optimizer import make_optimizer
from alignrec_geo.training.step import EagerStep


@pytest.fixture(autouse=True)
def _no_reads_within_an_epoch(monkeypatch):
    monkeypatch.setattr("alignrec_geo.training.step.SECONDS_BETWEEN_READS", float("inf"))


@pytest.fixture(scope="module")
def data():
    return make_catalogue(n_users=60, n_items=40, image_size=16, seed=2)


def made(name, data, **config):
    model = MODELS[name].from_dataset(data, config=config, seed=1)
    model.train()
    model.start_epoch(0, torch.Generator().manual_seed(0))
    return model


TRAINED = [name for name in MODELS if name not in ("popularity", "random", "content-knn")]


def batch(size=24, users=60, items=40):
    generator = torch.Generator().manual_seed(4)
    columns = (torch.randint(n, (size,), generator=generator) for n in (users, items, items))
    return Batch(*columns, 32)


class FakeMatrix:
    """A compressed matrix without values, as fake tensors know none."""

    def __init__(self, matrix, mode):
        self.shape = matrix.shape
        parts = matrix.values(), matrix.crow_indices(), matrix.col_indices()
        self.parts = [mode.from_tensor(part.clone()) for part in parts]

    def values(self):
        return self.parts[0]

    def crow_indices(self):
        return self.parts[1]

    def col_indices(self):
        return self.parts[2]


def fake_product(matrix, x, base=None, out=None):
    return x.new_empty(matrix.shape[0], x.shape[1]) if out is None else out


def fake_step(model, monkeypatch, fixed=True):
    """One whole step, optimiser included, on tensors that hold no values."""
    mode, load = FakeTensorMode(), backends._load
    monkeypatch.setattr(backends, "_load", lambda place: fake_product if place.startswith("spmm:") else load(place))
    monkeypatch.setattr(torch.sparse, "sampled_addmm", lambda matrix, a, b, beta: matrix)
    model._apply(lambda part: FakeMatrix(part, mode) if part.layout == torch.sparse_csr else mode.from_tensor(part))
    with use_fixed_shapes(fixed), mode:
        step = EagerStep(model, make_optimizer(model, TrainingConfig()))
        step.reads_back = False
        step.start(0)
        step.run(Batch(*(torch.zeros(24, dtype=torch.long) for _ in range(3)), 32))
    return step


@pytest.mark.parametrize("name", TRAINED)
def test_no_step_waits_for_the_host(name, data, monkeypatch):
    assert fake_step(made(name, data), monkeypatch).names


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_no_loss_term_waits_for_the_host(loss, data, monkeypatch):
    step = fake_step(made("alignrec", data, losses=f"bpr + {loss}"), monkeypatch)
    assert len(step.names) >= 2


def test_the_check_finds_steps_that_wait(data, monkeypatch):
    """As they are on a CPU, where rows that occur twice are computed once."""
    with pytest.raises(DynamicOutputShapeException):
        fake_step(made("alignrec", data), monkeypatch, fixed=False)


@pytest.mark.parametrize("name", TRAINED)
def test_fixed_shapes_change_neither_loss_nor_gradients(name, data):
    compact = made(name, data).double()
    compact.start_epoch(0, torch.Generator().manual_seed(0))
    fixed = copy.deepcopy(compact)
    if name == "bm3":  # one mask per batch row and node, drawn in another order
        compact.dropout.p = fixed.dropout.p = 0.0
    some = batch()
    terms = compact.loss(some)
    with use_fixed_shapes():
        others = fixed.loss(some)
        torch.stack(list(others.values())).sum().backward()
    torch.stack(list(terms.values())).sum().backward()
    assert list(terms) == list(others)
    for term in terms:
        torch.testing.assert_close(others[term], terms[term])
    for (where, one), other in zip(compact.named_parameters(), fixed.parameters(), strict=True):
        assert (one.grad is None) == (other.grad is None), where
        if one.grad is not None:
            torch.testing.assert_close(other.grad, one.grad, msg=lambda text, where=where: f"{where}: {text}")


def test_equal_nodes_of_a_batch_share_their_dropout_mask(data):
    model = made("bm3", data)
    same = Batch(torch.tensor([3, 3, 5]), torch.tensor([7, 7, 7]), torch.tensor([1, 1, 1]), 3)
    seen = []
    model._target, target = lambda rows, nodes: seen.append(target(rows, nodes)) or seen[-1], model._target
    with use_fixed_shapes():
        model.loss(same)
    users, items = seen[:2]
    assert torch.equal(users[0], users[1])
    assert torch.equal(items[0], items[2])
    assert not torch.equal(users[0] != 0, users[2] != 0)


def test_sums_and_divergence_without_reading_back(data):
    """The sums of an epoch are what reading every step would give; from the first NaN on nothing moves."""
    batches = [batch(), batch(10)]
    reading = EagerStep(model := made("lightgcn", data), make_optimizer(model, TrainingConfig()))
    with use_fixed_shapes():
        device = EagerStep(other := made("lightgcn", data), make_optimizer(other, TrainingConfig()))
    for step in (reading, device):
        step.start(0)
    for one in batches:
        reading.run(one)
        with use_fixed_shapes():
            assert device.run(one) == {}  # nothing was read yet
    assert device.means() == pytest.approx(reading.means(), rel=1e-6)
    before = {name: value.clone() for name, value in other.state_dict().items()}
    with use_fixed_shapes():
        with torch.no_grad():
            other.user_embedding[3] = torch.nan
        before["user_embedding"][3] = torch.nan
        bad = Batch(torch.tensor([3]), torch.tensor([1]), torch.tensor([2]), 1)
        for one in (bad, batches[1]):
            device.run(one)
    with pytest.raises(TrainingDiverged, match="loss term 'bpr' became nan in epoch 0"):
        device.means()
    for name, value in other.state_dict().items():
        assert torch.equal(value.nan_to_num(), before[name].nan_to_num()), name


def test_the_sums_are_read_once_in_a_while(data, monkeypatch):
    """Then, and not before, a step tells the means since the epoch began."""
    seconds = [0.0]
    monkeypatch.setattr("alignrec_geo.training.step.SECONDS_BETWEEN_READS", 2.0)
    monkeypatch.setattr("alignrec_geo.training.step.time", SimpleNamespace(monotonic=lambda: seconds[0]))
    with use_fixed_shapes():
        step = EagerStep(model := made("lightgcn", data), make_optimizer(model, TrainingConfig()))
        step.start(0)
        assert step.run(batch()) == {}
        seconds[0] = 2.5
        shown = step.run(batch(10))
        assert shown == step.means() != {}
        seconds[0] = 4.0  # 1.5 s since it was read
        assert step.run(batch(12)) is shown
        assert step.means() != shown
