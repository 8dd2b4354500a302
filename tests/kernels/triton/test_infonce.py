import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from alignrec_geo.kernels.backends import use_backends
from alignrec_geo.kernels.infonce import infonce, reference_infonce, reference_loss_and_gradients
from alignrec_geo.kernels.triton.infonce import LARGEST_EXPONENT, loss_and_gradients


def pairs(seed, size, width, device, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    query, key = (torch.randn(size, width, generator=generator, dtype=dtype) for _ in range(2))
    query[-1], key[-1] = query[0], key[0]  # a pair that occurs twice
    ids = torch.randint(max(size // 2, 1), (size,), generator=generator)
    return query.to(device).requires_grad_(), key.to(device).requires_grad_(), ids.to(device)


@given(
    st.integers(1, 90),
    st.integers(1, 20),
    st.sampled_from([0.005, 0.05, 0.2, 2.0]),
    st.booleans(),
    st.integers(0, 99),
    st.sampled_from([torch.float32, torch.float64]),
)
@settings(max_examples=3, deadline=None)
def test_value_and_gradients_equal_the_reference(device, size, width, temperature, unique, seed, dtype):
    query, key, ids = pairs(seed, size, width, device, dtype)
    labels = ids if unique else None
    with use_backends(infonce="triton"):
        fast = infonce(query, key, temperature, labels)
        grads = torch.autograd.grad(3 * fast, (query, key))
    exact = [rows.detach().double().requires_grad_() for rows in (query, key)]
    slow = reference_infonce(*exact, temperature, labels)
    within = {"rtol": 1e-7, "atol": 1e-7} if dtype == torch.float64 else {"rtol": 1e-4, "atol": 2e-6 / temperature}
    torch.testing.assert_close(fast.double(), slow, **within)
    for ours, theirs in zip(grads, torch.autograd.grad(3 * slow, exact), strict=True):
        torch.testing.assert_close(ours.double(), theirs, **within)


@pytest.mark.slow
@pytest.mark.parametrize("width", [1, 100, 300])
def test_float32_is_within_1e_5(device, width):
    generator = torch.Generator().manual_seed(0)
    query, key = (F.normalize(torch.randn(2, 70, width, generator=generator), dim=2) for _ in range(2))
    ids = torch.randint(40, (2, 70), generator=generator)
    exact = reference_loss_and_gradients(query.double(), key.double(), 0.2, ids)
    ours = loss_and_gradients(query.to(device), key.to(device), 0.2, ids.to(device))
    for mine, plain in zip(ours, exact, strict=True):
        assert mine.dtype == torch.float32
        assert float((mine.cpu() - plain).abs().max()) <= 1e-5 * float(plain.abs().max())
    again = loss_and_gradients(query.to(device), key.to(device), 0.2, ids.to(device))
    assert all(torch.equal(a, b) for a, b in zip(ours, again, strict=True))


@pytest.mark.slow
def test_groups_equal_one_after_the_other(device):
    batches = [pairs(seed, 40, 9, device, torch.float32) for seed in range(2)]
    query, key, ids = (torch.stack([batch[i].detach() for batch in batches]) for i in range(3))
    with use_backends(infonce="triton"):
        together = infonce(query, key, 0.1, ids)
        alone = torch.stack([infonce(q, k, 0.1, i) for q, k, i in zip(query, key, ids, strict=True)])
    assert torch.equal(together, alone)


def test_gradcheck(device):
    query, key, ids = pairs(0, 5, 3, device)
    with use_backends(infonce="triton"):
        assert torch.autograd.gradcheck(lambda q, k: infonce(q, k, 0.3, ids), (query, key), fast_mode=True)


def test_known_values(device):
    with use_backends(infonce="triton"):
        same = torch.ones(8, 4, device=device)
        assert float(infonce(same, same)) == pytest.approx(torch.tensor(8.0).log().item())  # all alike: chance
        assert float(infonce(same, same, ids=torch.zeros(8, dtype=torch.long, device=device))) == pytest.approx(0.0)
        apart = torch.eye(4, device=device)
        assert float(infonce(apart, apart, temperature=0.001)) == pytest.approx(0.0, abs=1e-4)
        assert float(infonce(torch.empty(0, 4, device=device), torch.empty(0, 4, device=device))) == 0.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_weights_stand_for_equal_rows_and_zero_leaves_out(device, dtype):
    query, key, _ = pairs(1, 12, 5, device, dtype)
    times = torch.tensor([1, 0, 3, 2, 0, 1, 1, 4, 1, 1, 2, 1], device=device)
    with use_backends(infonce="triton"):
        ours = infonce(query, key, 0.3, weight=times)
        grads = torch.autograd.grad(ours, (query, key))
    theirs = reference_infonce(query.repeat_interleave(times, dim=0), key.repeat_interleave(times, dim=0), 0.3)
    torch.testing.assert_close(ours, theirs)
    for mine, plain in zip(grads, torch.autograd.grad(theirs, (query, key)), strict=True):
        torch.testing.assert_close(mine, plain)
    with use_backends(infonce="triton"):
        nothing = infonce(query, key, 0.3, weight=torch.zeros_like(times))
        grads = torch.autograd.grad(nothing, (query, key))
    assert nothing.item() == 0.0
    assert all(bool((grad == 0).all()) for grad in grads)


@pytest.mark.slow
def test_opposite_rows_at_the_lowest_temperature_that_tiles_take(device):
    """The smallest exponentials there are."""
    query = F.normalize(torch.ones(70, 8), dim=1).to(device)
    losses, *grads = loss_and_gradients(query[None], -query[None], 1.0 / LARGEST_EXPONENT, None)
    assert losses.item() == pytest.approx(torch.tensor(70.0).log().item(), rel=1e-5)
    assert all(bool(grad.isfinite().all()) for grad in grads)
