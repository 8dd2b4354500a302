"""Batches for the multiway stack: from cached tokens to what is shown and what is hidden."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from alignrec_geo.content.encoders.running import on_device
from alignrec_geo.content.frozen.model import IMAGE, PATCHES, WORDS, FrozenBatch
from alignrec_geo.content.frozen.summary import ItemSummary, Parts
from alignrec_geo.content.pretraining.masking import mask_patches
from alignrec_geo.content.tokens.image_tokens import ImageTokens, averaged
from alignrec_geo.content.tokens.text_tokens import TextTokens
from alignrec_geo.content.tokens.visual_codes import VisualCodebook
from alignrec_geo.content.tokens.vocabulary import Vocabulary
from alignrec_geo.typing import Int64

SHOWN = ("words", "patches", "both", "image only", "text only")
"""What is done to an item that has both: words masked, patches masked, words and patches, text or image left out."""


class Texts(NamedTuple):
    """Tokens and vectors of ``n`` texts."""

    states: Tensor
    """``[n, T, E]``."""
    ids: Tensor
    """``[n, T]``."""
    mask: Tensor
    """True at tokens, ``[n, T]`` bool."""
    pooled: Tensor
    """``[n, E]``."""


class Content(NamedTuple):
    """The unmasked tokens of ``n`` items, and their summaries."""

    tokens: dict[str, Tensor]
    present: dict[str, Tensor]
    seen: Tensor

    def to(self, device: torch.device) -> "Content":
        """The same on another device."""
        tokens, present = ({name: on_device(part, device) for name, part in parts.items()} for parts in self[:2])
        return Content(tokens, present, on_device(self.seen, device))


@dataclass(frozen=True)
class FrozenData:
    """The cached tokens of a data set.

    Args:
        images: patch maps and vectors of the images.
        texts: token states of the texts as they are.
        masked_texts: the same texts with words hidden, several copies; one is drawn per item and step.
        summary: says what an item is; its words are those that are predicted.
        codebook: the visual codes that are predicted.
        grid: the map is averaged to so many rows and columns.
        max_tokens: words a text is cut to.
        shares: how often items are shown in each way of :data:`SHOWN`.
        patch_ratio: share of the patches that are masked.
    """

    images: ImageTokens
    texts: TextTokens
    masked_texts: Sequence[TextTokens]
    summary: ItemSummary
    codebook: VisualCodebook
    grid: tuple[int, int] = (7, 7)
    max_tokens: int = 96
    shares: tuple[float, ...] = (0.3, 0.2, 0.2, 0.15, 0.15)
    patch_ratio: float = 0.4

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The words that are predicted."""
        return self.summary.vocabulary

    @property
    def streams(self) -> dict[str, tuple[int, int]]:
        """Most tokens and width of every stream."""
        return {
            PATCHES: (self.grid[0] * self.grid[1], self.images.patches.shape[2]),
            IMAGE: (1, self.images.pooled.shape[1]),
            WORDS: (self.max_tokens, self.texts.states.shape[1]),
        }

    def has(self) -> np.ndarray:
        """Which items have an image and which a text, ``[I, 2]`` bool."""
        return np.stack([self.images.slot >= 0, self.texts.slot >= 0], axis=1)

    def content(self, items: Int64, masked: Collection[str] = ()) -> Content:
        """Everything there is of the items, but for modalities (``image``, ``text``) in ``masked``."""
        patches, image, has_image = self._images(items)
        texts = self._texts(self.texts, items)
        image_shown, words = has_image & ("image" not in masked), texts.mask & ("text" not in masked)
        return stream_content(patches, image, image_shown, texts, words, self.summary)

    def masked(self, items: Int64, generator: torch.Generator, way: int | None = None) -> FrozenBatch:
        """A batch to learn from: every item is shown in one of the ways of :data:`SHOWN`, drawn, or in ``way``."""
        patches, image, has_image = self._images(items)
        texts = self._texts(self.texts, items)
        whole = stream_content(patches, image, has_image, texts, texts.mask, self.summary).seen
        both = has_image & texts.mask.any(dim=1)
        ways = torch.multinomial(torch.tensor(self.shares), len(items), replacement=True, generator=generator)
        ways = ways if way is None else torch.full_like(ways, way)
        hide_words, hide_patches = ~both | (ways == 0) | (ways == 2), has_image & (~both | (ways == 1) | (ways == 2))
        show_image, show_text = has_image & ~(both & (ways == 4)), texts.mask & ~(both & (ways == 3))[:, None]
        shown, hidden_words = self._hide_words(texts, items, hide_words, generator)
        codes = self.codebook.codes(patches)
        hidden = mask_patches(len(items), self.grid, generator, self.patch_ratio) & hide_patches[:, None]
        tokens, present, _ = stream_content(patches, image, show_image, shown, show_text, None)
        # an image of which patches are hidden says nothing in the summary, and hidden words are not counted
        seen = stream_content(
            patches, image, show_image & ~hide_patches, shown, show_text, self.summary, ~hidden_words
        ).seen
        return FrozenBatch(
            tokens,
            present,
            {PATCHES: hidden, IMAGE: hide_patches[:, None]},
            word_target=torch.where(hidden_words, self.vocabulary.number(texts.ids), -1),
            code_target=torch.where(hidden, codes, -1),
            seen=seen,
            whole=whole,
        )

    def _images(self, items: Int64) -> tuple[Tensor, Tensor, Tensor]:
        maps, has = self.images.batch(items.tolist())  # [n, P, C]
        patches = averaged(maps, self.images.grid, self.grid)
        image = torch.zeros(len(items), 1, self.images.pooled.shape[1])
        slots = self.images.slot[items]
        image[has, 0] = torch.from_numpy(self.images.pooled[slots[slots >= 0]])
        return patches, image, has

    def _texts(self, texts: TextTokens, items: Int64) -> Texts:
        ids, states, mask = texts.batch(items.tolist())
        slots = texts.slot[items]
        pooled = torch.zeros(len(items), texts.pooled.shape[1])
        pooled[torch.from_numpy(slots >= 0)] = torch.from_numpy(texts.pooled[slots[slots >= 0]])
        return Texts(states[:, : self.max_tokens], ids[:, : self.max_tokens], mask[:, : self.max_tokens], pooled)

    def _hide_words(self, texts: Texts, items: Int64, rows: Tensor, generator: torch.Generator) -> tuple[Texts, Tensor]:
        """The texts with words hidden in ``rows``, one copy each, and which words those are."""
        shown = Texts(texts.states.clone(), texts.ids, texts.mask, texts.pooled.clone())
        hidden = torch.zeros_like(texts.mask)
        drawn = torch.randint(len(self.masked_texts), (len(items),), generator=generator)
        for number, copy in enumerate(self.masked_texts):
            chosen = rows & (drawn == number)
            if bool(chosen.any()):
                other = self._texts(copy, items[chosen.numpy()])
                length = other.ids.shape[1]
                shown.states[chosen, :length], shown.pooled[chosen] = other.states, other.pooled
                hidden[chosen, :length] = other.ids != texts.ids[chosen, :length]
        return shown, hidden


def stream_content(
    patches: Tensor,
    image: Tensor,
    image_shown: Tensor,
    texts: Texts,
    words: Tensor,
    summary: ItemSummary | None,
    counted: Tensor | None = None,
) -> Content:
    """Put images and texts into the streams, and summarise them.

    Args:
        patches: ``[n, P, C]``.
        image: ``[n, 1, D]``.
        image_shown: which items show their image, ``[n]`` bool.
        texts: ids, states and vectors.
        words: which tokens are shown, ``[n, T]`` bool.
        summary: makes the summaries; ``None`` leaves them empty.
        counted: of the words that are shown, those that the summary counts; all if not given.
    """
    tokens = {PATCHES: patches, IMAGE: image, WORDS: texts.states}
    whole = image_shown[:, None]  # an image is there as a whole or not at all
    present = {PATCHES: whole.expand(-1, patches.shape[1]), IMAGE: whole, WORDS: words}
    if summary is None:
        return Content(tokens, present, torch.zeros(len(patches), 0))
    bag = words if counted is None else words & counted
    parts = Parts(texts.pooled, texts.ids, bag, image[:, 0], words.any(dim=1), image_shown)
    return Content(tokens, present, summary(parts))
