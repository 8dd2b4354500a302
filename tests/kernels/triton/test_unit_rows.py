import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alignrec_geo.kernels.backends import use_backends
from alignrec_geo.kernels.unit_rows import reference_unit_rows, unit_rows


@given(st.integers(0, 99), st.integers(1, 40), st.integers(1, 70))
@settings(max_examples=6, deadline=None)
def test_rows_and_gradients_equal_the_reference(device, seed, count, width):
    generator = torch.Generator().manual_seed(seed)
    x, slope = (torch.randn(count, width, generator=generator, dtype=torch.float64).to(device) for _ in range(2))
    x[0] = 0.0  # stays zero, and its gradient is that of a division by the smallest norm
    x.requires_grad_()
    with use_backends(unit_rows="triton"):
        ours = unit_rows(x)
        grad = torch.autograd.grad((ours * slope).sum(), x)[0]
    theirs = reference_unit_rows(x)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(grad, torch.autograd.grad((theirs * slope).sum(), x)[0])


def test_float32_is_within_1e_6(device):
    x = torch.randn(33, 64, generator=torch.Generator().manual_seed(0))
    with use_backends(unit_rows="triton"):
        ours = unit_rows(x.to(device))
    assert ours.dtype == torch.float32
    assert float((ours.cpu().double() - reference_unit_rows(x.double())).abs().max()) <= 1e-6


def test_no_rows(device):
    with use_backends(unit_rows="triton"):
        assert unit_rows(torch.ones(0, 3, device=device)).shape == (0, 3)
