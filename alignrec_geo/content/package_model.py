"""The multiway stack on frozen encoders, with the heads it is pre-trained by."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alignrec_geo.content.multiway import MultiwayStack
from alignrec_geo.content.multiway_block import LAYER_NORM_EPS, Linear
from alignrec_geo.content.objective import masked_cross_entropy
from alignrec_geo.randomness import child_generator

PATCHES, PICTURE, WORDS = "patches", "picture", "words"
"""The streams: cells of the picture's map, the picture's own vector, the words of the text."""


class PackageBatch(NamedTuple):
    """What the stack reads and what it has to predict, for ``n`` items."""

    tokens: Mapping[str, Tensor]
    """Per stream ``[n, t, width]``."""
    present: Mapping[str, Tensor]
    """Per stream ``[n, t]`` bool."""
    masked: Mapping[str, Tensor]
    """Per stream ``[n, t]`` bool, replaced by the stack's mask token."""
    word_target: Tensor
    """Numbers of the words to predict, ``[n, T]``, -1 elsewhere."""
    code_target: Tensor
    """Visual codes of the patches to predict, ``[n, P]``, -1 elsewhere."""
    bag: Tensor
    """The words of each item as a distribution, ``[n, V]``; zeros without text."""
    code_bag: Tensor
    """The codes of each item as a distribution, ``[n, K]``; zeros without picture."""

    def to(self, device: torch.device) -> "PackageBatch":
        """The same batch on another device."""
        tokens, present, masked = (
            {name: part.to(device) for name, part in parts.items()}
            for parts in (self.tokens, self.present, self.masked)
        )
        targets = (self.word_target, self.code_target, self.bag, self.code_bag)
        return PackageBatch(tokens, present, masked, *(target.to(device) for target in targets))


class WordHead(nn.Module):
    """Logits over a vocabulary: a projection, compared with the frozen vectors of the words.

    Words that mean alike have logits alike from the start, which a few thousand texts could not teach.

    Args:
        dim: width D of the states.
        vectors: of the words, ``[V, E]``; brought to mean 0 and unit length.
        seed: of the initial values.

    Shapes:
        ``[m, D]`` -> ``[m, V]``
    """

    vectors: Tensor

    def __init__(self, dim: int, vectors: Tensor, seed: int = 0) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim, LAYER_NORM_EPS)
        self.project = Linear(dim, vectors.shape[1])
        self.project.init_parameters(child_generator(seed, "init"))
        self.register_buffer("vectors", F.normalize(vectors - vectors.mean(dim=0), dim=1), persistent=False)
        self.bias = nn.Parameter(torch.zeros(len(vectors)))

    def forward(self, states: Tensor) -> Tensor:
        """Return the logits."""
        return F.linear(self.project(self.norm(states)), self.vectors, self.bias)


class CodeHead(nn.Sequential):
    """Logits over visual codes, ``[m, D]`` -> ``[m, K]``.

    Args:
        dim: width D of the states.
        codes: number K of codes.
        seed: of the initial values.
    """

    def __init__(self, dim: int, codes: int, seed: int = 0) -> None:
        linear = Linear(dim, codes)
        linear.init_parameters(child_generator(seed, "init"))
        super().__init__(nn.LayerNorm(dim, LAYER_NORM_EPS), linear)


class PackageModel(nn.Module):
    r"""Mask-then-predict on tokens of frozen encoders, and an item vector that has to say what was masked.

    .. math::
        \mathcal L = \underbrace{-\tfrac1{|W|} \sum_{w \in W} \log p(w \mid h_w)}_{\text{words}}
        + \underbrace{-\tfrac1{|V|} \sum_{v \in V} \log p(z_v \mid h_v)}_{\text{patches}}
        - \lambda \underbrace{\Big(\sum_w q_i(w) \log p(w \mid x_i)
        + \sum_z r_i(z) \log p(z \mid x_i)\Big)}_{\text{vector}}

    The first two are those of `"BEiT-3" <https://arxiv.org/abs/2208.10442>`_. They never ask anything of CLS, the
    item's vector :math:`x_i`; the third does: from the masked sequence, CLS predicts all words of the item
    (:math:`q_i`, weighted by inverse document frequency) and all its visual codes (:math:`r_i`), those that are hidden
    included.

    Args:
        stack: the encoder; its streams are among :data:`PATCHES`, :data:`PICTURE`, :data:`WORDS`.
        word_vectors: of the vocabulary, ``[V, E]``.
        codes: number K of visual codes.
        vector_weight: λ.
        seed: of the initial values of the heads.
    """

    def __init__(
        self, stack: MultiwayStack, word_vectors: Tensor, codes: int, vector_weight: float = 1.0, seed: int = 0
    ) -> None:
        super().__init__()
        self.stack, self.vector_weight = stack, vector_weight
        self.word_head, self.bag_head = (WordHead(stack.dim, word_vectors, seed) for _ in range(2))
        self.code_head, self.code_bag_head = (CodeHead(stack.dim, codes, seed) for _ in range(2))

    def forward(self, batch: PackageBatch) -> dict[str, Tensor]:
        """Return the loss terms ``words``, ``patches`` and ``vector``."""
        out = self.stack(batch.tokens, batch.present, batch.masked)
        words, codes = batch.word_target, batch.code_target
        vector = _bag_loss(self.bag_head(out.vector), batch.bag) + _bag_loss(
            self.code_bag_head(out.vector), batch.code_bag
        )
        return {
            "words": masked_cross_entropy(out.streams[WORDS], words >= 0, words, self.word_head),
            "patches": masked_cross_entropy(out.streams[PATCHES], codes >= 0, codes, self.code_head),
            "vector": self.vector_weight * vector,
        }


def _bag_loss(logits: Tensor, bag: Tensor) -> Tensor:
    """Cross-entropy with a distribution, averaged over the items that have one."""
    having = (bag.sum(dim=1) > 0).sum().clamp_min(1)
    return -(bag * logits.float().log_softmax(dim=1)).sum() / having
