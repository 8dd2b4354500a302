"""What is exported as a program: the ranking of a user, and the encoding of an item."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alignrec_geo.serving.cold import UNLIKE, NeighbourMean


class Scorer(nn.Module):
    r"""The best items of users: :math:`\operatorname{top}_k(U H^\top)`.

    Args:
        items: ``[n, D]``.
        k: how many; all where there are fewer.
        half: keep the table in half precision; products are in single precision.

    Shapes:
        ``users [B, D]`` -> ``scores [B, k]``, ``rows [B, k]`` int64

    Example:
        >>> Scorer(torch.eye(3), k=2)(torch.tensor([[1.0, 3.0, 2.0]]))[1].tolist()
        [[1, 2]]
    """

    items: Tensor

    def __init__(self, items: Tensor, k: int, half: bool = False) -> None:
        super().__init__()
        self.register_buffer("items", items.half() if half else items.float())
        self.k = min(k, len(items))

    def forward(self, users: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores and rows."""
        scores, rows = torch.topk(users @ self.items.float().T, self.k, dim=1)
        return scores, rows  # a tuple: what torch.topk returns has a type that cannot be saved


class ItemVector(nn.Module):
    """The vector of an item by its content; see :class:`~alignrec_geo.serving.NeighbourMean`, whose rule this is.

    Args:
        rule: with the trained vectors of the items that new ones are compared with.
        half: keep the tables in half precision.

    Shapes:
        - **input:** per feature matrix its rows ``[B, W]`` and which items have one ``[B]`` bool, one after the other
        - **output:** vectors ``[B, D]``, zeros for an item without content, and which have some ``[B]`` bool
    """

    content: Tensor
    offsets: Tensor
    lengths: Tensor
    mean: Tensor

    def __init__(self, rule: NeighbourMean, half: bool = False) -> None:
        super().__init__()
        self.k = min(rule.k, len(rule.content))
        kind = torch.float16 if half else torch.float32
        self.register_buffer("content", rule.content.to(kind))
        self.register_buffer("offsets", rule.offsets.to(kind))
        self.register_buffer("lengths", rule.offsets.norm(dim=1))
        self.register_buffer("mean", rule.mean)
        for number, mean in enumerate(rule.space.means):
            self.register_buffer(f"mean_{number}", mean)
        self._count = len(rule.space.means)

    def forward(self, *parts: Tensor) -> tuple[Tensor, Tensor]:
        """Return vectors and which items have content."""
        columns = []
        for number in range(self._count):
            rows, present = parts[2 * number], parts[2 * number + 1]
            unit = F.normalize(rows - getattr(self, f"mean_{number}"), dim=1)
            columns.append(torch.where(present[:, None], unit, torch.zeros_like(unit)))
        content = torch.cat(columns, dim=1)
        known = (content != 0).any(dim=1)
        similarity, near = torch.topk(content @ self.content.float().T, self.k, dim=1)
        weight = F.normalize(similarity.clamp(min=UNLIKE), p=1.0, dim=1)  # [B, k]
        offset = (weight[:, :, None] * self.offsets[near].float()).sum(dim=1)
        distance = (weight * self.lengths[near]).sum(dim=1, keepdim=True)
        vectors = self.mean + F.normalize(offset, dim=1) * distance
        return torch.where(known[:, None], vectors, torch.zeros_like(vectors)), known
