import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alignrec_geo.kernels.backends import use_backends
from alignrec_geo.kernels.triplet_loss import reference_triplet_loss, triplet_loss


def triplet(seed: int, size: int, width: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(size, width, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(3)]


@pytest.mark.parametrize("backend", ["torch", "reference"])
@given(st.integers(0, 999), st.integers(1, 30), st.integers(1, 20), st.integers(1, 64))
@settings(max_examples=40, deadline=None)
def test_terms_and_gradients_equal_the_reference(backend, seed, size, width, batch_size):
    rows = triplet(seed, size, width)
    with use_backends(triplet_loss=backend):
        ours = triplet_loss(*rows, batch_size)
    theirs = reference_triplet_loss(*rows, batch_size)
    weights = (1.0, 0.1, 3.0)
    sums = []
    for mine, plain, weight in zip(ours, theirs, weights, strict=True):
        torch.testing.assert_close(mine, plain)
        sums.append((weight * mine, weight * plain))
    fast = torch.autograd.grad(sum(pair[0] for pair in sums), rows)
    slow = torch.autograd.grad(sum(pair[1] for pair in sums), rows)
    for mine, plain in zip(fast, slow, strict=True):
        torch.testing.assert_close(mine, plain)


def test_gradcheck():
    assert torch.autograd.gradcheck(lambda u, p, n: tuple(triplet_loss(u, p, n, 4)), triplet(0, 4, 3))


def test_zero_rows_give_no_nan():
    rows = [torch.zeros(2, 3, requires_grad=True) for _ in range(3)]
    terms = triplet_loss(*rows, 2)
    assert float(terms.bpr.detach()) == pytest.approx(math.log(2))
    assert float(terms.uia.detach()) == 1.0
    sum(terms).backward()
    assert all(row.grad.isfinite().all() for row in rows)


def test_known_values():
    user = torch.tensor([[1.0, 0.0]])
    positive, negative = torch.tensor([[2.0, 0.0]]), torch.tensor([[-1.0, 5.0]])
    terms = triplet_loss(user, positive, negative, 4)
    assert float(terms.bpr) == pytest.approx(math.log(1 + math.exp(-3)))
    assert float(terms.uia) == pytest.approx(0.0, abs=1e-7)
    assert float(terms.l2) == pytest.approx((1 + 4 + 26) / 2 / 4)  # the configured batch size, not the actual
    assert float(triplet_loss(user, -positive, negative, 4).uia) == pytest.approx(2.0)
    huge = triplet_loss(torch.full((1, 1), 1e4), torch.full((1, 1), -1.0), torch.ones(1, 1), 1)
    assert math.isfinite(float(huge.bpr))
