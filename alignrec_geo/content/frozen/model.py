"""The multiway stack on frozen encoders, with the heads it is pre-trained by."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alignrec_geo.content.encoders.running import on_device
from alignrec_geo.content.frozen.summary import ItemSummary, Readout
from alignrec_geo.content.multiway.block import LAYER_NORM_EPS, Linear
from alignrec_geo.content.multiway.stack import MultiwayStack
from alignrec_geo.content.pretraining.objective import masked_cross_entropy
from alignrec_geo.randomness import child_generator

PATCHES, IMAGE, WORDS = "patches", "picture", "words"
"""The streams: cells of the image's map, the image's own vector, the words of the text."""


class FrozenBatch(NamedTuple):
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
    seen: Tensor
    """What the summaries say of what is shown, ``[n, S]``."""
    whole: Tensor
    """What they say of all there is, ``[n, S]``."""

    def to(self, device: torch.device) -> "FrozenBatch":
        """The same batch on another device."""
        tokens, present, masked = (
            {name: on_device(part, device) for name, part in parts.items()}
            for parts in (self.tokens, self.present, self.masked)
        )
        targets = (self.word_target, self.code_target, self.seen, self.whole)
        return FrozenBatch(tokens, present, masked, *(on_device(target, device) for target in targets))

    def with_partners(self, prediction: str, order: Tensor) -> "FrozenBatch":
        """The batch with what helps to predict, images for words and texts for patches, of the items in ``order``."""
        moved = (PATCHES, IMAGE) if prediction == WORDS else (WORDS,)
        tokens, present = (
            {name: part[order] if name in moved else part for name, part in parts.items()}
            for parts in (self.tokens, self.present)
        )
        return self._replace(tokens=tokens, present=present)


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


class FusedEncoder(nn.Module):
    """The part that encodes: the stack, the summaries, and what is read out of both.

    Args:
        stack: its streams are :data:`PATCHES`, :data:`IMAGE` and :data:`WORDS`.
        summary: of what is seen of an item.
        dim: D, width of the item vectors.

    Shapes:
        tokens and presence per stream, ``seen [n, S]`` -> ``[n, D]``; zeros where nothing is present
    """

    def __init__(self, stack: MultiwayStack, summary: ItemSummary, dim: int) -> None:
        super().__init__()
        self.stack, self.summary = stack, summary
        self.readout = Readout(summary.width, stack.dim, dim)

    def forward(self, tokens: Mapping[str, Tensor], present: Mapping[str, Tensor], seen: Tensor) -> Tensor:
        """Return the item vectors."""
        vectors: Tensor = self.readout(seen, self.stack(tokens, present).vector)
        return vectors * torch.cat(list(present.values()), dim=1).any(dim=1)[:, None]


class FrozenModel(nn.Module):
    r"""Mask-then-predict on tokens of frozen encoders, and an item vector that has to say what was masked.

    .. math::
        \mathcal L = \underbrace{-\tfrac1{|W|} \sum_{w \in W} \log p(w \mid h_w)}_{\text{words}}
        + \underbrace{-\tfrac1{|V|} \sum_{v \in V} \log p(z_v \mid h_v)}_{\text{patches}}
        + \lambda \underbrace{\lVert x_i - z(s_i) \rVert^2}_{\text{vector}}

    The first two are those of `"BEiT-3" <https://arxiv.org/abs/2208.10442>`_. They never ask anything of the item's
    vector :math:`x_i`; the third does: from what is shown of an item, its vector predicts the code of the
    summary :math:`s_i` of all of it (:class:`~alignrec_geo.content.frozen.summary.ItemSummary` and
    :class:`~alignrec_geo.content.frozen.summary.Readout`), hidden words and hidden images included.

    Args:
        encoder: what is pre-trained.
        word_vectors: of the vocabulary, ``[V, E]``.
        codes: number K of visual codes.
        vector_weight: λ.
        seed: of the initial values of the heads.
    """

    def __init__(
        self,
        encoder: FusedEncoder,
        word_vectors: Tensor,
        codes: int,
        vector_weight: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.encoder, self.vector_weight = encoder, vector_weight
        self.word_head = WordHead(encoder.stack.dim, word_vectors, seed)
        self.code_head = CodeHead(encoder.stack.dim, codes, seed)

    def forward(self, batch: FrozenBatch) -> dict[str, Tensor]:
        """Return the loss terms ``words``, ``patches`` and ``vector``."""
        out = self.encoder.stack(batch.tokens, batch.present, batch.masked)
        words, codes = batch.word_target, batch.code_target
        readout = self.encoder.readout
        missed = (readout(batch.seen, out.vector) - readout.code(batch.whole)).float()
        return {
            "words": masked_cross_entropy(out.streams[WORDS], words >= 0, words, self.word_head),
            "patches": masked_cross_entropy(out.streams[PATCHES], codes >= 0, codes, self.code_head),
            "vector": self.vector_weight * missed.square().sum(dim=1).mean(),
        }
