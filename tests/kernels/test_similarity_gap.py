import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from alignrec_geo.kernels.backends import use_backends
from alignrec_geo.kernels.fixed_shapes import use_fixed_shapes
from alignrec_geo.kernels.similarity_gap import reference_similarity_gap, similarity_gap


def drawn(seed: int, size: int, width: int, anchor_width: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(size, width, generator=generator, dtype=torch.float64, requires_grad=True)
    return hidden, F.normalize(torch.randn(size, anchor_width, generator=generator, dtype=torch.float64), dim=1)


@given(st.integers(0, 99), st.integers(2, 30), st.integers(1, 12), st.integers(1, 40))
@settings(max_examples=50, deadline=None)
def test_value_and_gradient_equal_the_reference(seed, size, width, anchor_width):
    hidden, anchor = drawn(seed, size, width, anchor_width)
    fast, slow = similarity_gap(hidden, anchor), reference_similarity_gap(hidden, anchor)
    torch.testing.assert_close(fast, slow, rtol=1e-7, atol=1e-7)
    ours, theirs = (torch.autograd.grad(value, hidden)[0] for value in (fast, slow))
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


def test_gradcheck():
    hidden, anchor = drawn(0, 6, 3, 4)
    assert torch.autograd.gradcheck(lambda h: similarity_gap(h, anchor), hidden)


def test_float32_is_within_1e_5():
    hidden, anchor = drawn(1, 512, 64, 768)
    exact = float(reference_similarity_gap(hidden, anchor))
    assert float(similarity_gap(hidden.float(), anchor.float())) == pytest.approx(exact, rel=1e-5)


def test_no_gap_has_no_gradient_and_no_nan():
    hidden = torch.eye(3, requires_grad=True)
    gap = similarity_gap(hidden, torch.eye(3))
    gap.backward()
    assert float(gap.detach()) == 0.0
    assert torch.equal(hidden.grad, torch.zeros(3, 3))


def test_no_gradient_into_the_anchor():
    anchor = torch.eye(3, requires_grad=True)
    similarity_gap(torch.rand(3, 2, requires_grad=True), anchor).backward()
    assert anchor.grad is None


def test_weights_stand_for_repeated_rows():
    hidden, anchor = drawn(2, 5, 3, 7)
    weight = torch.tensor([1, 4, 2, 1, 3])
    fast = similarity_gap(hidden, anchor, weight)
    slow = reference_similarity_gap(hidden.repeat_interleave(weight, 0), anchor.repeat_interleave(weight, 0))
    torch.testing.assert_close(fast, slow)
    torch.testing.assert_close(torch.autograd.grad(fast, hidden)[0], torch.autograd.grad(slow, hidden)[0])


@pytest.mark.parametrize(("backend", "fixed"), [("reference", False), ("reference", True), ("torch", True)])
def test_backends_and_shapes_agree(backend, fixed):
    hidden, anchor = drawn(3, 20, 4, 9)
    plain = similarity_gap(hidden, anchor)
    expected = torch.autograd.grad(3.0 * plain, hidden)[0]
    with use_backends(similarity_gap=backend), use_fixed_shapes(fixed):
        other = similarity_gap(hidden, anchor)
    torch.testing.assert_close(other, plain)
    torch.testing.assert_close(torch.autograd.grad(3.0 * other, hidden)[0], expected)
