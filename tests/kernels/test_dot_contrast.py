import pytest
import torch
import torch.nn.functional as F

from alignrec_geo.kernels.dot_contrast import dot_contrast


def rows(count: int, scale: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    made = torch.randn(2, count, 7, generator=draw, dtype=torch.float64) * scale
    return made[0].requires_grad_(), made[1].requires_grad_()


@pytest.mark.parametrize("count", [1, 40, 600])
def test_equals_the_cross_entropy_of_the_repeated_rows(count):
    query, key = rows(count)
    counts = torch.arange(count) % 3 + 1
    ours = dot_contrast(query, key, 0.5, counts)
    queries, keys = query.repeat_interleave(counts, dim=0), key.repeat_interleave(counts, dim=0)
    plain = F.cross_entropy(queries @ keys.T / 0.5, torch.arange(len(queries)))
    torch.testing.assert_close(ours, plain)
    for mine, theirs in zip(
        torch.autograd.grad(3 * ours, (query, key)), torch.autograd.grad(3 * plain, (query, key)), strict=True
    ):
        torch.testing.assert_close(mine, theirs)


def test_long_rows_do_not_overflow():
    query, key = (table.float() for table in rows(50, scale=100.0))
    value = dot_contrast(query, key, 0.1, torch.ones(50, dtype=torch.long))
    assert value.isfinite()
    torch.testing.assert_close(value, F.cross_entropy(query @ key.T / 0.1, torch.arange(50)))


def test_an_empty_batch_costs_nothing():
    query = torch.empty(0, 4, requires_grad=True)
    value = dot_contrast(query, query, 0.2, torch.empty(0, dtype=torch.long))
    value.backward()
    assert float(value.detach()) == 0.0
    assert query.grad.shape == (0, 4)
