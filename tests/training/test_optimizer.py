"""The optimiser that gives large tables a kernel of their own; here with torch's form of it, on a CPU."""

import copy
from types import SimpleNamespace

import pytest
import torch

from alignrec_geo.kernels import adam
from alignrec_geo.training import optimizer as module
from alignrec_geo.training.config import TrainingConfig
from alignrec_geo.training.optimizer import DeviceAdam, make_optimizer, set_learning_rate


@pytest.fixture
def large_ones(monkeypatch):
    monkeypatch.setattr(module, "pays", lambda parameter: parameter.numel() > 10)


def made(kind, decay=0.0):
    generator = torch.Generator().manual_seed(0)
    parameters = [torch.randn(shape, generator=generator).requires_grad_() for shape in ((5, 4), (3,), (30,), (2, 2))]
    optimizer = kind(parameters, lr=torch.tensor(1e-2), weight_decay=decay, fused=True)
    optimizer.found_inf = torch.zeros(())
    return parameters, optimizer


def step(parameters, optimizer, number):
    for place, one in enumerate(parameters):
        one.grad = None if place == 3 else torch.full_like(one, 0.1 * (number + place))
    kept = [one.grad for one in parameters]
    optimizer.step()
    assert all(one.grad is grad for one, grad in zip(parameters, kept, strict=True))


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_steps_and_state_are_those_of_torch(large_ones, decay):
    ours, theirs = made(DeviceAdam, decay), made(torch.optim.Adam, decay)
    for number in range(4):
        for parameters, optimizer in (ours, theirs):
            optimizer.found_inf.fill_(float(number == 2))  # this step is not made
            step(parameters, optimizer, number)
    torch.testing.assert_close(ours[0], theirs[0], rtol=1e-6, atol=1e-7)
    mine, plain = (optimizer.state_dict() for _, optimizer in (ours, theirs))
    assert mine["state"].keys() == plain["state"].keys() == {0, 1, 2}
    torch.testing.assert_close(mine["state"], plain["state"], rtol=1e-6, atol=1e-7)
    assert float(mine["state"][0]["step"]) == 3.0
    fresh = made(DeviceAdam, decay)
    fresh[1].load_state_dict(copy.deepcopy(plain))
    fresh[1].found_inf = torch.zeros(())
    with torch.no_grad():
        for one, value in zip(fresh[0], theirs[0], strict=True):
            one.copy_(value)
    for parameters, optimizer in (fresh, theirs):
        step(parameters, optimizer, 5)
    torch.testing.assert_close(fresh[0], theirs[0], rtol=1e-6, atol=1e-7)


def test_without_a_flag_and_with_a_closure(large_ones):
    parameters, optimizer = made(DeviceAdam)
    del optimizer.found_inf

    def closure():
        loss = sum(one.square().sum() for one in parameters)
        loss.backward()
        return loss

    before = [one.detach().clone() for one in parameters]
    assert float(optimizer.step(closure).detach()) > 0.0
    assert all(not torch.equal(one, old) for one, old in zip(parameters, before, strict=True))


def test_a_cpu_takes_torch_s_optimiser():
    model = torch.nn.Linear(2, 2)
    assert type(make_optimizer(model, TrainingConfig())) is torch.optim.Adam
    assert make_optimizer(torch.nn.Identity(), TrainingConfig()) is None


def test_a_rate_that_a_graph_reads_stays_the_same_tensor():
    parameters = [torch.nn.Parameter(torch.ones(2))]
    for lr in (torch.tensor(1e-2), 1e-2):
        optimizer = torch.optim.Adam(parameters, lr=lr)
        set_learning_rate(optimizer, 0.5)
        assert float(optimizer.param_groups[0]["lr"]) == 0.5
        assert (optimizer.param_groups[0]["lr"] is lr) == isinstance(lr, torch.Tensor)


def test_only_small_ones_are_left_to_torch(monkeypatch):
    parameters, optimizer = made(DeviceAdam)
    monkeypatch.setattr(DeviceAdam, "_move", lambda self, large: pytest.fail("no parameter is large"))
    before = [one.detach().clone() for one in parameters]
    for one in parameters:
        one.grad = torch.ones_like(one)
    optimizer.step()
    assert all(not torch.equal(one, old) for one, old in zip(parameters, before, strict=True))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"numel": 8192}, False),
        ({"is_cuda": False}, False),
        ({"dtype": torch.float64}, False),
        ({"contiguous": False}, False),
    ],
)
def test_which_parameters_get_a_kernel_of_their_own(change, expected, monkeypatch):
    monkeypatch.setattr(adam, "choose", lambda operation, device: SimpleNamespace(runs="triton"))
    given = {"numel": 8193, "is_cuda": True, "dtype": torch.float32, "contiguous": True} | change
    parameter = SimpleNamespace(
        is_cuda=given["is_cuda"],
        dtype=given["dtype"],
        device="cuda",
        numel=lambda: given["numel"],
        is_contiguous=lambda: given["contiguous"],
    )
    assert adam.pays(parameter) == expected
    monkeypatch.setattr(adam, "choose", lambda operation, device: SimpleNamespace(runs="torch"))
    assert not adam.pays(parameter)
