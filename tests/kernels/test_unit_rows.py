import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alignrec_geo.kernels import unit_rows as module
from alignrec_geo.kernels.unit_rows import reference_unit_rows, unit_rows


def drawn(seed: int, size: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(size, width, generator=generator, dtype=torch.float64, requires_grad=True)


@given(st.integers(0, 99), st.integers(0, 9), st.integers(1, 7))
@settings(max_examples=50, deadline=None)
def test_value_and_gradient_equal_the_reference(seed, size, width):
    x = drawn(seed, size, width)
    fast, slow = unit_rows(x), reference_unit_rows(x)
    torch.testing.assert_close(fast, slow)
    upstream = torch.randn(size, width, generator=torch.Generator().manual_seed(seed + 1), dtype=torch.float64)
    ours, theirs = (torch.autograd.grad(value, x, upstream)[0] for value in (fast, slow))
    torch.testing.assert_close(ours, theirs)


def test_gradcheck():
    assert torch.autograd.gradcheck(unit_rows, drawn(0, 4, 3))


def test_rows_too_short_to_divide_by_follow_the_reference():
    x = torch.tensor([[0.0, 0.0], [3e-13, 4e-13], [3.0, 4.0]], dtype=torch.float64, requires_grad=True)
    upstream = torch.tensor([[1.0, 2.0]]).double().expand(3, 2)
    fast, slow = unit_rows(x), reference_unit_rows(x)
    torch.testing.assert_close(fast, slow)
    ours, theirs = (torch.autograd.grad(value, x, upstream)[0] for value in (fast, slow))
    torch.testing.assert_close(ours, theirs)


def test_both_backends_tell_the_same_lengths():
    x = torch.tensor([[0.0, 0.0], [3e-13, 4e-13], [3.0, 4.0]], dtype=torch.float64)
    unit, inverse = module.normalise(x)
    plain, plain_inverse = module.reference_normalise(x)
    torch.testing.assert_close(unit, plain)
    torch.testing.assert_close(inverse, plain_inverse)
    assert (inverse < 0).tolist() == [True, True, False]  # too short to divide by
