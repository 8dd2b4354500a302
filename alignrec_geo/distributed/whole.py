"""Models whose tables lie apart, as a whole: at the beginning alike everywhere, at the end on the first rank."""

import torch
from torch import nn

from alignrec_geo.distributed.group import Group
from alignrec_geo.distributed.tables import lies_apart, unmark, whole_width


def align_copies(group: Group, model: nn.Module) -> None:
    """Give all ranks the first one's copy of what every rank has as a whole.

    All ranks compute the same for it, but kernels of a GPU may add up in another order each time.
    """
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad and not lies_apart(parameter):
                group.from_first(parameter.data)


def gather_model(group: Group, model: nn.Module) -> bool:
    """Make a model whole on the first rank, one table after another; on the others it stays as it is.

    Returns:
        Whether it is whole now: on the first rank.
    """
    with torch.no_grad():
        for tensor in [*model.parameters(), *model.buffers()]:
            if lies_apart(tensor):
                whole = group.to_first(tensor.detach(), whole_width(tensor))
                if whole is not None:
                    tensor.grad = None
                    tensor.data = whole
                    unmark(tensor)
    return group.is_first
