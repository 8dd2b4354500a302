import torch
import torch.nn.functional as F

from alignrec_geo.content.pretraining.objective import masked_cross_entropy, masked_regression

STATES = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(0))
MASKED = torch.tensor([[True, False, True, False, False], [False, False, False, False, True]])


def test_cross_entropy_goes_through_the_head_at_masked_positions_only():
    head, seen = torch.nn.Linear(4, 7), []
    targets = torch.tensor([[3, 99, 6, 99, 99], [99, 99, 99, 99, 0]])  # 99 is no class: it must not be read
    loss = masked_cross_entropy(STATES, MASKED, targets, lambda rows: seen.append(len(rows)) or head(rows))
    assert seen == [3]
    rows = [STATES[0, 0], STATES[0, 2], STATES[1, 4]]
    expected = sum(F.cross_entropy(head(x), torch.tensor(y)) for x, y in zip(rows, (3, 6, 0), strict=True)) / 3
    torch.testing.assert_close(loss, expected)


def test_regression_is_the_mean_squared_error_at_masked_positions():
    targets = torch.full((2, 5, 4), float("nan"))
    targets[MASKED] = 1.0
    loss = masked_regression(STATES, MASKED, targets, lambda rows: 2 * rows)
    torch.testing.assert_close(loss, ((2 * STATES[MASKED] - 1) ** 2).mean())


def test_nothing_masked_is_no_loss_and_passes_no_gradient():
    states = STATES.clone().requires_grad_()
    nothing = torch.zeros_like(MASKED)
    loss = masked_cross_entropy(states, nothing, torch.zeros(2, 5, dtype=torch.long), lambda rows: rows)
    loss = loss + masked_regression(states, nothing, STATES, lambda rows: rows)
    loss.backward()
    assert loss.item() == 0.0
    assert not states.grad.any()


def test_half_precision_states_give_a_float32_loss():
    loss = masked_cross_entropy(STATES.bfloat16(), MASKED, torch.ones(2, 5, dtype=torch.long), lambda rows: rows)
    assert loss.dtype == torch.float32
