"""Mask-then-predict where all that is known of an item are vectors, one per modality."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alignrec_geo.content.multiway.block import Linear
from alignrec_geo.content.multiway.stack import MultiwayStack
from alignrec_geo.kernels.infonce import infonce
from alignrec_geo.nn.whitening import Whitening
from alignrec_geo.randomness import child_generator


class InputWhitening(nn.Module):
    r"""Centres, evens out and scales the vectors of one modality; fitted once, stored with the model.

    The stack normalises every token, so what all vectors share must be gone before: features after a ReLU are mostly
    their mean. The result has a mean square of 1 per column over the items it was fitted to, so that a squared error
    says the same of every modality. See :class:`~alignrec_geo.nn.whitening.Whitening`.

    Args:
        width: of the vectors.
    """

    mean: Tensor
    matrix: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("matrix", torch.eye(width))

    def fit(self, vectors: Tensor, shrink: float) -> None:
        """Fit to the vectors of the items that have the modality, ``[n, width]``."""
        found = Whitening.fit(vectors, shrink)
        square = found(vectors).square().mean().clamp_min(torch.finfo(torch.float32).tiny)
        self.mean.copy_(found.mean)
        self.matrix.copy_(found.matrix * square.rsqrt())

    def forward(self, vectors: Tensor) -> Tensor:
        """Transform ``[n, width]``, in float32 under mixed precision, too: these are inputs and targets."""
        with torch.autocast(vectors.device.type, enabled=False):
            return (vectors - self.mean) @ self.matrix


class FeaturesOutput(NamedTuple):
    """What :class:`FeaturesModel` makes of ``n`` items."""

    vector: Tensor
    """The items' vectors, ``[n, D]``."""
    states: list[Tensor]
    """Last hidden state of every modality's token, ``[n, D]`` each."""


class FeaturesModel(nn.Module):
    r"""A multiway stack over one token per modality; whole modalities are masked and predicted from the others.

    With the whitened vectors :math:`u_m`, the last hidden states :math:`h_m` and :math:`h_{cls}`, and the set of masked
    modalities :math:`H_i`,

    .. math::
        x_i &= h_{cls} + \sum_m h_m \\
        \mathcal L &= \sum_m \underbrace{\lVert A_m h_m - u_m \rVert^2}_{\text{regression, } m \in H_i}
        + \alpha \underbrace{\mathrm{InfoNCE}(A_m h_m, u_m)}_{\text{contrast, } m \in H_i}
        + \lambda \underbrace{\lVert B_m x_i - u_m \rVert^2}_{\text{vector, all } m}

    Squared errors are means over columns. The regression is what `"BEiT-3" <https://arxiv.org/abs/2208.10442>`_ asks of
    masked patches, asked of a modality; the `contrast <https://arxiv.org/abs/1807.03748>`_ against the other items of
    the batch keeps a weak prediction from shrinking to the mean. The third makes the item's vector say all that the
    modalities say, those that are hidden included; without it nothing is asked of the vector. A missing modality is a
    masked one that cannot be checked.

    Args:
        widths: of the modalities' vectors.
        dim: width D of the stack and of the item vectors.
        layers: multiway blocks.
        heads: attention heads; they divide D.
        contrast_weight: :math:`\alpha`.
        temperature: of the contrast.
        vector_weight: :math:`\lambda`.
        seed: of the initial values.

    Shapes:
        - ``vectors``: per modality ``[n, width]``; what stands at missing and hidden ones is inert
        - ``present``: which modalities the items have, ``[n, M]`` bool
        - ``hidden``: which of them are masked, ``[n, M]`` bool
        - **output:** the loss terms ``regression``, ``contrast`` and ``vector``
    """

    def __init__(
        self,
        widths: Sequence[int],
        dim: int = 256,
        layers: int = 2,
        heads: int = 4,
        contrast_weight: float = 0.1,
        temperature: float = 0.1,
        vector_weight: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self._streams = [f"modality_{number}" for number in range(len(widths))]
        self.contrast_weight, self.temperature, self.vector_weight = contrast_weight, temperature, vector_weight
        self.whiten = nn.ModuleList(InputWhitening(width) for width in widths)
        streams = {name: (1, width) for name, width in zip(self._streams, widths, strict=True)}
        self.stack = MultiwayStack(streams, dim, layers, heads, seed=seed)
        self.predict = nn.ModuleList(Linear(dim, width) for width in widths)
        self.read = nn.ModuleList(Linear(dim, width) for width in widths)
        generator = child_generator(seed, "init feature heads")
        for head in (*self.predict, *self.read):
            assert isinstance(head, Linear)
            head.init_parameters(generator)

    def fit_input(self, number: int, vectors: Tensor, shrink: float) -> None:
        """Fit the whitening of modality ``number`` to the vectors of the items that have it."""
        part = self.whiten[number]
        assert isinstance(part, InputWhitening)
        part.fit(vectors, shrink)

    def vectors(self, vectors: Sequence[Tensor], present: Tensor) -> Tensor:
        """The vectors ``[n, D]`` of items that have the modalities ``present [n, M]``; zero where there is none."""
        whitened = [whiten(part) for whiten, part in zip(self.whiten, vectors, strict=True)]
        return self.encode(whitened, ~present).vector.float() * present.any(dim=1)[:, None]

    def encode(self, whitened: Sequence[Tensor], masked: Tensor) -> FeaturesOutput:
        """Encode items.

        Args:
            whitened: per modality ``[n, width]``.
            masked: modalities that are missing or hidden, ``[n, M]`` bool.
        """
        tokens = {name: part[:, None] for name, part in zip(self._streams, whitened, strict=True)}
        masks = {name: masked[:, [number]] for number, name in enumerate(self._streams)}
        out = self.stack(tokens, masked=masks)
        states = [out.streams[name][:, 0] for name in self._streams]
        return FeaturesOutput(out.vector + torch.stack(states).sum(dim=0), states)

    def forward(self, vectors: Sequence[Tensor], present: Tensor, hidden: Tensor) -> dict[str, Tensor]:
        """Return the loss terms."""
        targets = [whiten(part) for whiten, part in zip(self.whiten, vectors, strict=True)]
        out = self.encode(targets, hidden | ~present)
        terms = {name: out.vector.new_zeros(()) for name in ("regression", "contrast", "vector")}
        for number, target in enumerate(targets):
            rows, there = hidden[:, number] & present[:, number], present[:, number]
            predicted = self.predict[number](out.states[number][rows]).float()
            terms["regression"] = terms["regression"] + _mean_square(predicted, target[rows])
            terms["contrast"] = terms["contrast"] + infonce(predicted, target[rows], self.temperature)
            read = self.read[number](out.vector[there]).float()
            terms["vector"] = terms["vector"] + _mean_square(read, target[there])
        terms["contrast"] = self.contrast_weight * terms["contrast"]
        terms["vector"] = self.vector_weight * terms["vector"]
        return terms

    def prediction_error(self, vectors: Sequence[Tensor], present: Tensor, number: int, target: Tensor) -> Tensor:
        """Mean squared error of modality ``number``, whose true vectors are ``target``, from the other ones."""
        whitened = [whiten(part) for whiten, part in zip(self.whiten, vectors, strict=True)]
        masked = ~present
        masked[:, number] = True
        states = self.encode(whitened, masked).states[number]
        return _mean_square(self.predict[number](states).float(), self.whiten[number](target))


def _mean_square(predicted: Tensor, target: Tensor) -> Tensor:
    squared: Tensor = F.mse_loss(predicted, target, reduction="sum")
    return squared / max(predicted.numel(), 1)
