import pytest
import torch

from alignrec_geo.kernels.backends import use_backends
from alignrec_geo.kernels.gate import gated_rows


@pytest.mark.parametrize("sizes", [(1, 1, 1), (70, 5, 64), (33, 40, 50), (5, 3, 300)])
def test_rows_and_gradients_equal_the_formula(device, sizes):
    count, inner, width = sizes
    generator = torch.Generator().manual_seed(count)
    shapes = (count, width), (count, inner), (width, inner), (width,)
    tensors = [torch.randn(shape, generator=generator).to(device).requires_grad_() for shape in shapes]
    arriving = torch.randn(count, width, generator=generator).to(device)
    results = []
    for backend in ("triton", "torch"):
        with use_backends(gate=backend):
            result = gated_rows(*tensors)
            results.append([result, *torch.autograd.grad(result, tensors, arriving)])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_frozen_rows_get_no_gradient(device):
    x = torch.ones(2, 3, device=device)
    table, weight, bias = (torch.ones(shape, device=device, requires_grad=True) for shape in ((2, 4), (4, 3), (4,)))
    with use_backends(gate="triton"):
        gated_rows(table, x, weight, bias).sum().backward()
    assert x.grad is None
    assert weight.grad.shape == (4, 3)
