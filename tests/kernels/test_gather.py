import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alignrec_geo.kernels.backends import use_backends
from alignrec_geo.kernels.gather import gather_rows, reference_gather_rows


@pytest.mark.parametrize("backend", ["torch", "reference"])
@given(st.integers(0, 999), st.integers(1, 12), st.integers(0, 40), st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_rows_and_gradient_equal_the_reference(backend, seed, size, count, width):
    generator = torch.Generator().manual_seed(seed)
    table = torch.randn(size, width, generator=generator, dtype=torch.float64, requires_grad=True)
    rows = torch.randint(size, (count,), generator=generator)
    weight = torch.randn(count, width, generator=generator, dtype=torch.float64)
    with use_backends(gather=backend):
        ours = gather_rows(table, rows)
        grad = torch.autograd.grad((ours * weight).sum(), table)[0]
    theirs = reference_gather_rows(table, rows)
    assert torch.equal(ours, theirs)
    torch.testing.assert_close(grad, torch.autograd.grad((theirs * weight).sum(), table)[0])


def test_rows_that_occur_several_times_add_up():
    table = torch.zeros(3, 2, requires_grad=True)
    gather_rows(table, torch.tensor([2, 0, 2])).sum().backward()
    assert table.grad.tolist() == [[1.0, 1.0], [0.0, 0.0], [2.0, 2.0]]
