"""MGCN's fusion of the modalities, guided by behaviour."""

import torch
from torch import Tensor, nn

from alignrec_geo.nn.init import linear


class BehaviorAwareFuser(nn.Module):
    r"""The behaviour-aware fuser: what the modalities have in common, and what behaviour prefers of each by itself.

    .. math::
        a &= \text{softmax}_m\; q^\top \tanh(W_q e_m + b_q), \qquad \bar e = \sum_m a_m e_m \\
        s_m &= \sigma(H_m c + b_m) \odot (e_m - \bar e), \qquad
        \text{side} = \frac{\bar e + \sum_m s_m}{M + 1}

    A modality that a node lacks has neither attention nor a part :math:`s_m`, and is not counted in :math:`M`. Who owns
    the fuser draws its layers (:func:`~alignrec_geo.nn.init.init_linear`); as made they hold no values yet.

    Shapes:
        - **input:** behaviour ``c [n, d]``, views ``e [n, M, d]``, which of them each node has ``[n, M]`` bool or
          ``None`` (all)
        - **output:** ``[n, d]``
    """

    def __init__(self, modalities: int, dim: int) -> None:
        super().__init__()
        self.query = linear(dim, dim)  # W_q, b_q
        self.attention = linear(dim, 1, bias=False)  # q
        self.preferences = nn.ModuleList(linear(dim, dim) for _ in range(modalities))  # H_m, b_m

    def forward(self, behaviour: Tensor, views: Tensor, present: Tensor | None = None) -> Tensor:
        """Return the content side of every node."""
        logits = self.attention(torch.tanh(self.query(views)))  # [n, M, 1]
        gates = torch.stack([torch.sigmoid(layer(behaviour)) for layer in self.preferences], dim=1)  # [n, M, d]
        if present is None:
            common = (torch.softmax(logits, dim=1) * views).sum(dim=1)
            return (common + (gates * (views - common[:, None])).sum(dim=1)) / (len(self.preferences) + 1)
        has = present[:, :, None]
        # the least finite number: minus infinity would give NaN where a node has no modality at all
        logits = logits.masked_fill(~has, torch.finfo(logits.dtype).min)
        common = (torch.softmax(logits, dim=1) * views).sum(dim=1)
        special = (gates * (views - common[:, None]) * has).sum(dim=1)
        return (common + special) / (has.sum(dim=1) + 1)
