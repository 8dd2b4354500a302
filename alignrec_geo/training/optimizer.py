"""The optimiser of a run, in the form that its device can run without the host."""

import torch
from torch import nn

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
    return torch.optim.Adam(parameters, lr=lr, weight_decay=config.weight_decay, fused=True, capturable=on_gpu)


def set_learning_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate of all groups; where it is a tensor the tensor stays the same one."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(lr)
        else:
            group["lr"] = lr
