"""The optimiser of a run, in the form that its device can run without the host."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from alignrec_geo.kernels.adam import AdamSettings, adam_step, pays
from alignrec_geo.training.config import TrainingConfig


def make_optimizer(model: nn.Module, config: TrainingConfig) -> torch.optim.Adam | None:
    """Return Adam on all parameters that train, ``None`` where there are none.

    On a GPU the learning rate and the number of steps are tensors there, so that a CUDA graph can hold a step.

    Args:
        model: on its device.
        config: learning rate and weight decay.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        return None
    device = parameters[0].device
    on_gpu = device.type == "cuda"
    lr = torch.tensor(config.lr, device=device) if on_gpu else config.lr
    kind = DeviceAdam if on_gpu else torch.optim.Adam
    return kind(parameters, lr=lr, weight_decay=config.weight_decay, fused=True, capturable=on_gpu)


class DeviceAdam(torch.optim.Adam):
    """torch's fused Adam, with a kernel of its own for each large table; state and checkpoints are the same.

    ``found_inf``, where it is set, is a scalar: while it is 1 nothing moves.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make one step; ``closure`` computes the loss and its gradients first."""
        with torch.enable_grad():
            loss = None if closure is None else closure()
        moved = [(one, group) for group in self.param_groups for one in group["params"] if one.grad is not None]
        large = {one: group for one, group in moved if pays(one)}
        gradients = {one: one.grad for one in large}
        if large:
            self._move(large)
        for one in large:
            one.grad = None
        try:
            super().step()  # all others, in one launch
        finally:
            for one, gradient in gradients.items():
                one.grad = gradient
        return loss

    def _move(self, large: dict[Tensor, dict[str, Any]]) -> None:
        for one in large:
            if not self.state[one]:
                step = torch.zeros((), dtype=torch.float32, device=one.device)
                self.state[one] = {"step": step, "exp_avg": torch.zeros_like(one), "exp_avg_sq": torch.zeros_like(one)}
        states = [self.state[one] for one in large]
        steps = [state["step"] for state in states]
        torch._foreach_add_(steps, 1)
        skip = getattr(self, "found_inf", None)
        never = torch.zeros_like(steps[0]) if skip is None else skip
        for (one, group), state in zip(large.items(), states, strict=True):
            beta1, beta2 = group["betas"]
            settings = AdamSettings(beta1, beta2, group["eps"], group["weight_decay"])
            assert one.grad is not None
            moments = state["exp_avg"], state["exp_avg_sq"]
            adam_step(one, one.grad, moments, state["step"], group["lr"], never, settings)
        if skip is not None:
            torch._foreach_sub_(steps, [skip] * len(steps))


def set_learning_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate of all groups; where it is a tensor the tensor stays the same one."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(lr)
        else:
            group["lr"] = lr
