import torch

from alignrec_geo.kernels.backends import use_backends
from alignrec_geo.kernels.fixed_shapes import use_fixed_shapes
from alignrec_geo.kernels.gate import gated_rows


def drawn():
    generator = torch.Generator().manual_seed(0)
    shapes = (7, 4), (7, 5), (4, 5), (4,)
    return [torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True) for shape in shapes]


def test_backends_and_shapes_agree():
    tensors = drawn()
    arriving = torch.randn(7, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    results = []
    for backend, fixed in (("torch", False), ("torch", True), ("reference", False)):
        with use_backends(gate=backend), use_fixed_shapes(fixed):
            result = gated_rows(*tensors)
            results.append([result, *torch.autograd.grad(result, tensors, arriving)])
    for other in results[1:]:
        torch.testing.assert_close(results[0], other)


def test_gradcheck_of_the_hand_written_backward():
    with use_backends(gate="reference"):
        assert torch.autograd.gradcheck(gated_rows, drawn())
