import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alignrec_geo.kernels import infonce as module
from alignrec_geo.kernels.backends import use_backends
from alignrec_geo.kernels.infonce import infonce, reference_infonce


@given(st.integers(1, 40), st.integers(1, 20), st.floats(0.05, 2.0), st.integers(1, 50), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_value_and_gradients_equal_the_reference(size, width, temperature, tile, seed):
    generator = torch.Generator().manual_seed(seed)
    query, key = (torch.randn(size, width, generator=generator, dtype=torch.float64) for _ in range(2))
    query[-1], key[-1] = query[0], key[0]  # a pair that occurs twice
    query.requires_grad_(), key.requires_grad_()
    whole, module.TILE = module.TILE, tile
    try:
        fast = infonce(query, key, temperature)
    finally:
        module.TILE = whole
    slow = reference_infonce(query, key, temperature)
    torch.testing.assert_close(fast, slow)
    for ours, theirs in zip(
        torch.autograd.grad(3 * fast, (query, key)), torch.autograd.grad(3 * slow, (query, key)), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


def test_float32_is_within_1e_5():
    generator = torch.Generator().manual_seed(0)
    query, key = (torch.randn(1500, 64, generator=generator) for _ in range(2))
    exact = reference_infonce(query.double(), key.double())
    assert float(infonce(query, key)) == pytest.approx(float(exact), rel=1e-5)


def test_mixed_precision_changes_nothing():
    generator = torch.Generator().manual_seed(0)
    query, key = (torch.randn(40, 8, generator=generator, requires_grad=True) for _ in range(2))
    plain = infonce(query, key)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = infonce(query, key)
        half = infonce(query.bfloat16(), key.bfloat16())
    assert mixed.equal(plain)
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(plain.item(), rel=1e-2)
    for ours, theirs in zip(
        torch.autograd.grad(mixed, (query, key)), torch.autograd.grad(plain, (query, key)), strict=True
    ):
        assert ours.equal(theirs)
    assert all(grad.isfinite().all() for grad in torch.autograd.grad(half, (query, key)))


def test_gradcheck():
    query, key = (torch.rand(5, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(lambda q, k: infonce(q, k, 0.3), (query, key))


def test_known_values():
    same = torch.ones(8, 4)
    assert float(infonce(same, same)) == pytest.approx(torch.tensor(8.0).log().item())  # all alike: chance
    assert float(infonce(torch.eye(4), torch.eye(4), temperature=0.01)) == pytest.approx(0.0, abs=1e-6)
    assert float(infonce(torch.empty(0, 4), torch.empty(0, 4))) == 0.0


def test_several_losses_in_one_call_and_repeated_ids_left_out():
    generator = torch.Generator().manual_seed(3)
    query, key = (torch.randn(2, 9, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    ids = torch.randint(4, (2, 9), generator=generator)
    query.requires_grad_(), key.requires_grad_()
    for labels in (None, ids):
        for backend in ("torch", "reference"):
            with use_backends(infonce=backend):
                fast = infonce(query, key, 0.3, labels)
            slow = torch.stack(
                [reference_infonce(query[g], key[g], 0.3, None if labels is None else labels[g]) for g in range(2)]
            )
            torch.testing.assert_close(fast, slow)
            weight = torch.tensor([1.0, -2.0], dtype=torch.float64)
            ours = torch.autograd.grad((fast * weight).sum(), (query, key))
            theirs = torch.autograd.grad((slow * weight).sum(), (query, key))
            for mine, plain in zip(ours, theirs, strict=True):
                torch.testing.assert_close(mine, plain)


def test_a_tiny_temperature_does_not_overflow():
    query = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    # the last digit of a logit of 1000 is worth 6e-5
    torch.testing.assert_close(infonce(query, query, 1e-3), reference_infonce(query, query, 1e-3), atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("backend", ["torch", "reference"])
def test_weights_stand_for_repeated_rows(backend):
    generator = torch.Generator().manual_seed(4)
    query, key = (torch.randn(5, 3, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(2))
    weight = torch.tensor([1, 4, 2, 1, 3])
    with use_backends(infonce=backend):
        fast = infonce(query, key, 0.3, weight=weight)
    slow = reference_infonce(query.repeat_interleave(weight, 0), key.repeat_interleave(weight, 0), 0.3)
    torch.testing.assert_close(fast, slow)
    for mine, plain in zip(
        torch.autograd.grad(fast, (query, key)), torch.autograd.grad(slow, (query, key)), strict=True
    ):
        torch.testing.assert_close(mine, plain)
    with pytest.raises(ValueError, match="one group and no ids"):
        infonce(query, key, ids=weight, weight=weight)
