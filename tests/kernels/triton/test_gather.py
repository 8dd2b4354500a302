import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alignrec_geo.kernels.backends import use_backends
from alignrec_geo.kernels.gather import Order, gather_rows, reference_accumulate, reference_gather_rows
from alignrec_geo.kernels.triton.gather import accumulate, in_order


@given(st.integers(0, 999), st.integers(1, 12), st.integers(0, 40), st.integers(1, 19))
@settings(max_examples=6, deadline=None)
def test_rows_and_gradient_equal_the_reference(device, seed, size, count, width):
    generator = torch.Generator().manual_seed(seed)
    table = torch.randn(size, width, generator=generator, dtype=torch.float64).to(device).requires_grad_()
    rows = torch.randint(size, (count,), generator=generator).to(device)
    weight = torch.randn(count, width, generator=generator, dtype=torch.float64).to(device)
    with use_backends(gather="triton"):
        ours = gather_rows(table, rows)
        grad = torch.autograd.grad((ours * weight).sum(), table)[0]
    theirs = reference_gather_rows(table, rows)
    assert torch.equal(ours, theirs)
    torch.testing.assert_close(grad, torch.autograd.grad((theirs * weight).sum(), table)[0])


def test_a_row_that_fills_several_programs_and_wide_rows(device):
    generator = torch.Generator().manual_seed(0)
    rows = torch.cat([torch.full((30,), 7), torch.tensor([0, 9, 9, 3])])[torch.randperm(34, generator=generator)]
    grad = torch.randn(34, 130, generator=generator)
    expected = reference_accumulate(grad, rows, 11)
    ours = accumulate(grad.to(device), rows.to(device), 11)
    torch.testing.assert_close(ours.cpu(), expected, rtol=1e-5, atol=1e-6)
    assert torch.equal(accumulate(grad.to(device), rows.to(device), 11), ours)
    assert not ours[1].any()


def test_gradcheck(device):
    table = torch.rand(4, 3, dtype=torch.float64, device=device, requires_grad=True)
    rows = torch.tensor([1, 1, 3, 0, 1], device=device)
    with use_backends(gather="triton"):
        assert torch.autograd.gradcheck(lambda t: gather_rows(t, rows), table, fast_mode=True)


@given(st.integers(0, 99), st.integers(1, 300), st.sampled_from([1, 7, 1000, 2**40]))
@settings(max_examples=4, deadline=None)
def test_sort_by_comparing_equals_a_stable_sort(device, seed, count, size):
    rows = torch.randint(size, (count,), generator=torch.Generator().manual_seed(seed)).to(device)
    target, source = in_order(rows, size)
    expected = torch.sort(rows, stable=True)
    assert torch.equal(target, expected.values)
    assert torch.equal(source, expected.indices)


def test_an_order_that_is_known_changes_nothing(device):
    generator = torch.Generator().manual_seed(1)
    users, items = torch.randint(5, (20,), generator=generator), torch.randint(9, (30,), generator=generator)
    grad = torch.randn(50, 6, generator=generator).to(device)
    order = Order(*in_order(users.to(device), 5)).then(Order(*in_order(items.to(device), 9)), 5)
    rows = torch.cat([users, items + 5]).to(device)
    assert all(torch.equal(*pair) for pair in zip(order, in_order(rows, 14), strict=True))
    assert torch.equal(accumulate(grad, rows, 14, order), accumulate(grad, rows, 14))
