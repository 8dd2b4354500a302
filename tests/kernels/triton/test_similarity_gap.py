import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from alignrec_geo.kernels.backends import use_backends
from alignrec_geo.kernels.similarity_gap import reference_similarity_gap, similarity_gap


def drawn(seed, size, width, anchor_width, device):
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(size, width, generator=generator).to(device).requires_grad_()
    return hidden, F.normalize(torch.randn(size, anchor_width, generator=generator), dim=1).to(device)


def compare(hidden, anchor, weight=None, tolerance=1e-5):
    with use_backends(similarity_gap="triton"):
        fast = similarity_gap(hidden, anchor, weight)
        grad = torch.autograd.grad(3 * fast, hidden)[0]
    repeated, rows = hidden.detach().double().requires_grad_(), anchor.double()
    plain = (repeated, rows) if weight is None else (each.repeat_interleave(weight, 0) for each in (repeated, rows))
    slow = reference_similarity_gap(*plain)
    expected = torch.autograd.grad(3 * slow, repeated)[0]
    assert abs(float(fast.detach() - slow.detach())) <= tolerance * float(slow.detach())
    assert float((grad - expected).norm()) <= tolerance * float(expected.norm())


@pytest.mark.slow
@given(st.integers(0, 99), st.integers(2, 100), st.sampled_from([1, 20, 70]), st.sampled_from([1, 64, 90]))
@settings(max_examples=5, deadline=None)
def test_value_and_gradient_are_within_1e_5_of_double(device, seed, size, width, anchor_width):
    compare(*drawn(seed, size, width, anchor_width, device))


def test_a_small_gap(device):
    """The three Gram norms nearly cancel."""
    _, anchor = drawn(0, 100, 4, 40, device)
    hidden = (anchor + 0.03 * torch.randn(100, 40, generator=torch.Generator().manual_seed(1)).to(device)).detach()
    compare(hidden.requires_grad_(), anchor, tolerance=1e-4)


def test_weights_and_what_does_not_fit(device):
    hidden, anchor = drawn(2, 70, 3, 7, device)
    compare(hidden, anchor, torch.randint(0, 4, (70,), generator=torch.Generator().manual_seed(0)).to(device))
    double, rows = hidden.detach().double().requires_grad_(), anchor.double()
    with use_backends(similarity_gap="triton"):
        torch.testing.assert_close(similarity_gap(double, rows), reference_similarity_gap(double, rows))
        assert float(similarity_gap(hidden[:0], anchor[:0])) == 0.0


def test_no_gap_has_no_gradient_and_no_nan(device):
    hidden = torch.eye(3, device=device, requires_grad=True)
    with use_backends(similarity_gap="triton"):
        gap = similarity_gap(hidden, torch.eye(3, device=device))
    gap.backward()
    assert float(gap.detach()) == pytest.approx(0.0)
    assert not hidden.grad.any()


@pytest.mark.slow
def test_equal_bits_again(device):
    hidden, anchor = drawn(4, 70, 64, 70, device)
    with use_backends(similarity_gap="triton"):
        again = [torch.autograd.grad(similarity_gap(hidden, anchor), hidden)[0] for _ in range(2)]
    assert torch.equal(*again)
