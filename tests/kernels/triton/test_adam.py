import copy

import pytest
import torch

from alignrec_geo.kernels.adam import AdamSettings, reference_update, update
from alignrec_geo.kernels.triton.adam import update as fast_update


def state(count, device):
    generator = torch.Generator().manual_seed(count)
    parameter, gradient, mean = (torch.randn(count, generator=generator).to(device) for _ in range(3))
    return parameter, gradient, (mean, torch.rand(count, generator=generator).to(device))


@pytest.mark.parametrize("count", [1, 2048, 5000])
@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("step", [1.0, 1000.0])
def test_equals_the_plain_formulas(device, count, decay, step):
    ours, numbers = state(count, device), [torch.tensor(value, device=device) for value in (step, 1e-2, 0.0)]
    settings, results = AdamSettings(decay=decay), []
    for way in (fast_update, update, reference_update):
        results.append(copy.deepcopy(ours))
        way(*results[-1], *numbers, settings)
    for theirs in results[1:]:
        torch.testing.assert_close(results[0], theirs, rtol=1e-5, atol=1e-5)


def test_steps_of_torch_s_optimiser_from_the_first_on(device):
    parameter, gradient, _ = state(300, device)
    twin = parameter.clone().requires_grad_()
    optimizer = torch.optim.Adam([twin], lr=1e-2)
    moments = torch.zeros_like(parameter), torch.zeros_like(parameter)
    lr, skip = torch.tensor(1e-2, device=device), torch.zeros((), device=device)
    for step in range(1, 5):
        twin.grad = gradient * step
        optimizer.step()
        fast_update(
            parameter, gradient * step, moments, torch.tensor(float(step), device=device), lr, skip, AdamSettings()
        )
    torch.testing.assert_close(parameter, twin.detach(), rtol=1e-6, atol=1e-6)


def test_nothing_moves_while_it_is_skipped(device):
    ours, one = state(300, device), torch.ones((), device=device)
    before = copy.deepcopy(ours)
    fast_update(*ours, one, one, one, AdamSettings())
    assert torch.equal(ours[0], before[0])
    assert all(torch.equal(a, b) for a, b in zip(ours[2], before[2], strict=True))
    fast_update(torch.empty(0, device=device), torch.empty(0, device=device), ours[2], one, one, one, AdamSettings())
