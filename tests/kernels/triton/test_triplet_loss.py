import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alignrec_geo.kernels.backends import use_backends
from alignrec_geo.kernels.triplet_loss import reference_terms_and_gradients, reference_triplet_loss, triplet_loss
from alignrec_geo.kernels.triton.triplet_loss import terms_and_gradients


def triplet(seed, size, width, device, dtype=torch.float64, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    rows = [scale * torch.randn(size, width, generator=generator, dtype=dtype) for _ in range(3)]
    rows[0][-1], rows[1][-1] = rows[0][0], rows[1][0]  # a pair that occurs twice
    return [each.to(device).requires_grad_() for each in rows]


@given(st.integers(0, 999), st.integers(1, 40), st.integers(1, 20), st.integers(1, 64))
@settings(max_examples=6, deadline=None)
def test_terms_and_gradients_equal_the_reference(device, seed, size, width, batch_size):
    rows = triplet(seed, size, width, device)
    with use_backends(triplet_loss="triton"):
        ours = triplet_loss(*rows, batch_size)
    theirs = reference_triplet_loss(*rows, batch_size)
    for mine, plain in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, plain)
    weights = (1.0, 0.1, 3.0)
    fast = torch.autograd.grad(sum(w * term for w, term in zip(weights, ours, strict=True)), rows)
    slow = torch.autograd.grad(sum(w * term for w, term in zip(weights, theirs, strict=True)), rows)
    for mine, plain in zip(fast, slow, strict=True):
        torch.testing.assert_close(mine, plain)


@pytest.mark.parametrize(("width", "scale"), [(64, 0.1), (64, 2.0), (130, 1.0)])
def test_float32_is_within_1e_5(device, width, scale):
    rows = triplet(0, 50, width, "cpu", torch.float32, scale)
    exact = reference_terms_and_gradients(*(each.detach().double() for each in rows), 2048)
    ours = terms_and_gradients(*(each.detach().to(device) for each in rows), 2048)
    for mine, plain in zip(ours, exact, strict=True):
        torch.testing.assert_close(mine.cpu().double(), plain, rtol=1e-5, atol=1e-5 * float(plain.abs().max()))


def test_large_margins_keep_their_digits(device):
    user, other = torch.ones(2, 1, device=device), torch.zeros(2, 1, device=device)
    positive = torch.tensor([[30.0], [-300.0]], device=device)
    terms, slope, _, _ = terms_and_gradients(user, positive, other, 2)
    assert slope.tolist() == pytest.approx([-math.exp(-30) / 2, -0.5], rel=1e-5)
    assert float(terms[0]) == pytest.approx((math.exp(-30) + 300) / 2, rel=1e-6)
    one = terms_and_gradients(user[:1], positive[:1], other[:1], 2)[0]
    assert float(one[0]) == pytest.approx(math.exp(-30), rel=1e-5)  # log(1 + x) would give 0


def test_gradcheck(device):
    with use_backends(triplet_loss="triton"):
        terms = triplet(0, 4, 3, device)
        assert torch.autograd.gradcheck(lambda u, p, n: tuple(triplet_loss(u, p, n, 4)), terms, fast_mode=True)


def test_zero_rows_give_no_nan(device):
    rows = [torch.zeros(2, 3, device=device, requires_grad=True) for _ in range(3)]
    with use_backends(triplet_loss="triton"):
        terms = triplet_loss(*rows, 2)
        assert float(terms.bpr.detach()) == pytest.approx(math.log(2))
        assert float(terms.uia.detach()) == 1.0
        sum(terms).backward()
    assert all(row.grad.isfinite().all() for row in rows)


def test_an_empty_batch_is_what_torch_makes_of_it(device):
    terms, *coefficients = terms_and_gradients(*(torch.empty(0, 3, device=device) for _ in range(3)), 4)
    assert terms[:2].isnan().all()
    assert float(terms[2]) == 0.0
    assert [len(each) for each in coefficients] == [0, 0, 0]
