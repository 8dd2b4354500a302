"""One long vector that says what an item's image and text are: what stage 1 predicts, and what it may see of it."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alignrec_geo.content.tokens.vocabulary import Vocabulary
from alignrec_geo.nn.whitening import Whitening

SHRINK = 0.1
"""Shrinkage of the whitening of the encoders' vectors."""


class Parts(NamedTuple):
    """What is known of ``n`` items; zeros where something is missing or hidden."""

    text: Tensor
    """Vectors of the texts, ``[n, E]``."""
    ids: Tensor
    """Their token ids, ``[n, T]``."""
    words: Tensor
    """Which of the tokens count, ``[n, T]`` bool."""
    image: Tensor
    """Vectors of the images, ``[n, C]``."""
    has_text: Tensor
    """``[n]`` bool."""
    has_image: Tensor
    """``[n]`` bool."""


class ItemSummary(nn.Module):
    r"""The sense of the text, its words, and the sense of the image, side by side.

    .. math:: s_i = [\, u(t_i) \;;\; u(b_i) \;;\; \sqrt{\alpha}\, u(v_i) \,]

    with the text encoder's vector :math:`t_i` and the image encoder's :math:`v_i`, both whitened, the bag of words
    :math:`b_i` weighted by inverse document frequency, and :math:`u` scaling to unit length. Parts that are missing are
    zero. Sentence encoders blur names, genres and years; the bag keeps them.

    Args:
        text: whitening of the text vectors.
        image: whitening of the image vectors.
        word_ids: token ids of the vocabulary, ``[V]``.
        word_weight: their weights, ``[V]``.
        image_share: α, the weight of the image beside that of text and words, which have 1 each.

    Shapes:
        :class:`Parts` of ``n`` items -> ``[n, E + V + C]``
    """

    def __init__(
        self, text: Whitening, image: Whitening, word_ids: Tensor, word_weight: Tensor, image_share: float
    ) -> None:
        super().__init__()
        for name, part in (("text", text), ("picture", image)):
            self.register_buffer(f"{name}_mean", part.mean)
            self.register_buffer(f"{name}_matrix", part.matrix)
        self.register_buffer("word_ids", word_ids)
        self.register_buffer("word_weight", word_weight)
        self.image_share = image_share
        self._vocabulary: Vocabulary | None = None
        self.width = len(text.mean) + len(word_ids) + len(image.mean)

    @property
    def vocabulary(self) -> Vocabulary:
        """The words that are counted; made once, after the buffers are filled."""
        if self._vocabulary is None:
            ids, weight = self.get_buffer("word_ids"), self.get_buffer("word_weight")
            self._vocabulary = Vocabulary(ids.cpu().numpy(), weight.cpu().numpy())
        return self._vocabulary

    def forward(self, parts: Parts) -> Tensor:
        """Return the summaries."""
        bags = F.normalize(self.vocabulary.bags(parts.ids, parts.words), dim=1) * parts.has_text[:, None]
        sense = self._white("text", parts.text) * parts.has_text[:, None]
        look = self._white("picture", parts.image) * parts.has_image[:, None]
        return torch.cat([sense, bags, self.image_share**0.5 * look], dim=1)

    def _white(self, name: str, vectors: Tensor) -> Tensor:
        whitening = Whitening(self.get_buffer(f"{name}_mean"), self.get_buffer(f"{name}_matrix"))
        return F.normalize(whitening(vectors), dim=1)

    @classmethod
    def fit(cls, texts: Tensor, images: Tensor, vocabulary: Vocabulary, image_share: float) -> "ItemSummary":
        """Fit the whitening.

        Args:
            texts: vectors of all texts, ``[N, E]``.
            images: vectors of all images, ``[M, C]``.
            vocabulary: the words.
            image_share: α.
        """
        ids, weight = torch.from_numpy(vocabulary.ids), vocabulary.weight
        return cls(Whitening.fit(texts, SHRINK), Whitening.fit(images, SHRINK), ids, weight, image_share)

    @classmethod
    def empty(cls, text: int, words: int, image: int, image_share: float) -> "ItemSummary":
        """One of these widths, to be filled by ``load_state_dict``."""
        blank = [Whitening(torch.zeros(width), torch.zeros(width, width)) for width in (text, image)]
        return cls(blank[0], blank[1], torch.arange(words), torch.zeros(words), image_share)


class Readout(nn.Module):
    r"""The item's vector: the compressed summary of what is seen, corrected by what that and the fused pass suggest.

    .. math:: z(s) = P\,(s - \mu), \qquad x = z(s^{seen}) + W\,[\, z(s^{seen}) \;;\; \mathrm{CLS} \,]

    P holds the leading principal directions of the summaries and stays; W starts as zero. So training begins at a plain
    compression of the content and learns what its parts say of each other: x is to predict the code :math:`z(s)` of
    the whole item.

    Args:
        inputs: width S of the summaries.
        hidden: width of CLS.
        dim: D, width of the item vectors.

    Shapes:
        ``seen [n, S]``, ``cls [n, hidden]`` -> ``[n, D]``
    """

    mean: Tensor
    basis: Tensor

    def __init__(self, inputs: int, hidden: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("basis", torch.zeros(dim, inputs))  # P
        self.correct = nn.Parameter(torch.zeros(dim, dim + hidden))  # W

    @torch.no_grad()
    def fit(self, summaries: Tensor) -> None:
        """Take the principal directions of ``summaries [N, S]``, N a few thousand at most."""
        self.mean.copy_(summaries.mean(dim=0))
        rows = (summaries - self.mean).double()
        variance, sides = torch.linalg.eigh(rows @ rows.T)  # ascending
        count = min(len(self.basis), int((variance > 1e-9 * variance[-1]).sum()))
        leading = sides[:, len(sides) - count :].flip(1).T @ rows  # [count, S], lengths are the singular values
        self.basis[:count] = F.normalize(leading, dim=1).float()

    def code(self, summaries: Tensor) -> Tensor:
        """Return z, ``[n, D]``."""
        return F.linear(summaries - self.mean, self.basis)

    def forward(self, seen: Tensor, cls: Tensor) -> Tensor:
        """Return the item vectors."""
        code = self.code(seen)
        return code + F.linear(torch.cat([code, cls.to(code.dtype)], dim=1), self.correct)
