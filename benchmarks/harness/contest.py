"""One operation in two forms: checked against each other, timed in turns, set beside the machine's limit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from harness.measure import Rates, interleave, say
from harness.step_cost import Cost
from torch import Tensor

Results = list[Tensor]


@dataclass(frozen=True)
class Contest:
    """One operation.

    Args:
        ours: the package's.
        naive: the plain form.
        cost: what it needs at least.
        what: its sizes and the naive form, in words.
        oracle: the naive form in double, where float32 is too coarse to compare with.
    """

    ours: Callable[[], Results]
    naive: Callable[[], Results]
    cost: Cost
    what: str
    oracle: Callable[[], Results] | None = None


def measured(name: str, contest: Contest, rates: Rates, rounds: int, backend: str = "torch") -> dict[str, Any]:
    """One row of a result: medians in turns, after both forms have given the same.

    Args:
        name: of the operation.
        contest: its two forms.
        rates: of the machine.
        rounds: timed rounds.
        backend: that ours runs on.
    """
    difference = largest_difference(contest)
    times = interleave({"ours": contest.ours, "naive": contest.naive}, rounds)
    limit = contest.cost.limit(rates)
    row = {
        "what": name,
        "detail": contest.what,
        "ratio": times["naive"].median / times["ours"].median,
        "limit_ratio": times["ours"].median / limit,
        "limit_seconds": limit,
        "gflop": contest.cost.flops / 1e9,
        "gb": contest.cost.bytes / 1e9,
        "backend": backend,
        "seconds": {key: timing.as_json() for key, timing in times.items()},
        "largest_relative_difference": difference,
    }
    say(f"{name}: {row['ratio']:.1f} x naive, {row['limit_ratio']:.1f} x limit")
    return row


def largest_difference(contest: Contest) -> float:
    """Check that both give the same values and gradients.

    Raises:
        AssertionError: they differ by more than 1e-4 relative.
    """
    worst = 0.0
    for ours, theirs in zip(contest.ours(), (contest.oracle or contest.naive)(), strict=True):
        finite = theirs.isfinite()
        if not torch.equal(finite, ours.isfinite()):
            raise AssertionError(f"{contest.cost.name}: other values are infinite")
        worst = max(worst, float((ours[finite] - theirs[finite]).norm() / theirs[finite].norm().clamp(min=1e-30)))
    if worst > 1e-4:
        raise AssertionError(f"{contest.cost.name} differs from the naive form by {worst:.1e} relative")
    return worst


def backward(function: Callable[..., Any], *tensors: Tensor) -> Callable[[], Results]:
    """A call that returns the result and the gradients; a table's result is weighed with fixed numbers."""
    leaves = [tensor.clone().requires_grad_() for tensor in tensors]
    weight = torch.ones_like(function(*leaves))

    def run() -> Results:
        result = function(*leaves)
        return [result.detach(), *torch.autograd.grad(result, leaves, weight)]

    return run
