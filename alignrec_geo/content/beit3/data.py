"""Batches for BEiT-3: from images and texts to what is shown and what is hidden."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from alignrec_geo.content.beit3.images import ItemImages
from alignrec_geo.content.beit3.vocabulary import Beit3Vocabulary
from alignrec_geo.content.encoders.running import on_device
from alignrec_geo.content.pretraining.masking import mask_patches, mask_words, maskable_words
from alignrec_geo.content.tokens.vocabulary import Vocabulary
from alignrec_geo.typing import Int64

WORDS, PATCHES = "words", "patches"
"""What is predicted."""
SHOWN = (WORDS, PATCHES, "every word", "every patch", "no text")
"""What is done to an item that has both: some words masked, some patches, all words, all patches, the text left out."""

THUMBNAIL = 4
"""Side of the small image that the item's vector predicts where there are no visual codes."""


class Beit3Batch(NamedTuple):
    """What BEiT-3 reads and what it has to predict, for ``n`` items."""

    pixels: Tensor
    """``[n, 3, S, S]``, zero without image."""
    image_present: Tensor
    """``[n]`` bool."""
    ids: Tensor
    """Words, ``[n, T]``."""
    words_present: Tensor
    """True at words, false at padding, ``[n, T]`` bool."""
    word_mask: Tensor
    """Words to predict, ``[n, T]`` bool."""
    patch_mask: Tensor
    """Patches to predict, ``[n, P]`` bool."""
    codes: Tensor
    """Visual codes of the patches, ``[n, P]``; no columns where pixels are predicted."""
    bag: Tensor
    """The words of each item as a distribution, ``[n, V]``; zeros without text."""
    look: Tensor
    """The image as a distribution of codes ``[n, K]``, or as a thumbnail ``[n, 48]``."""
    has_look: Tensor
    """Which items have an image, whether it is shown or not, ``[n]`` bool."""

    def to(self, device: torch.device) -> "Beit3Batch":
        """The same batch on another device."""
        return Beit3Batch(*(on_device(part, device) for part in self))

    def with_partners(self, prediction: str, order: Tensor) -> "Beit3Batch":
        """The batch with what helps to predict, images for words and texts for patches, of the items in ``order``."""
        if prediction == WORDS:
            return self._replace(pixels=self.pixels[order], image_present=self.image_present[order])
        return self._replace(ids=self.ids[order], words_present=self.words_present[order])


@dataclass(frozen=True)
class Beit3Data:
    """The images and texts of a data set.

    Args:
        images: decoded when needed.
        texts: word ids of every item, none for an item without text.
        words: the tokenizer.
        bag_words: the words that the item's vector predicts.
        grid: patches along a side of an image.
        codes: visual code of every patch, ``[I, P]``, or ``None`` where pixels are predicted.
        n_codes: number K of visual codes.
        word_ratio: share of the words that are masked.
        patch_ratio: share of the patches that are masked.
        shares: how often items are shown in each way of :data:`SHOWN`.
    """

    images: ItemImages
    texts: Sequence[NDArray[Any]]
    words: Beit3Vocabulary
    bag_words: Vocabulary
    grid: int
    codes: NDArray[np.int32] | None
    n_codes: int
    word_ratio: float = 0.5
    patch_ratio: float = 0.4
    shares: tuple[float, ...] = (0.3, 0.25, 0.15, 0.15, 0.15)

    def has(self) -> NDArray[np.bool_]:
        """Which items have an image and which a text, ``[I, 2]``."""
        return np.stack([self.images.has, np.array([len(text) > 0 for text in self.texts])], axis=1)

    @property
    def look_width(self) -> int:
        """Columns of :attr:`Beit3Batch.look`."""
        return 3 * THUMBNAIL**2 if self.codes is None else self.n_codes

    def shown(self, items: Int64, masked: Collection[str] = ()) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Everything there is of the items, but for modalities (``image``, ``text``) in ``masked``.

        Returns:
            The first four parts of :class:`Beit3Batch`.
        """
        if "image" in masked:
            side = self.images.side
            pixels, has_image = torch.zeros(len(items), 3, side, side), torch.zeros(len(items), dtype=torch.bool)
        else:
            pixels, has_image = self.images.batch(items)
        ids, present = self.words.batch([self.texts[row] for row in items])
        return pixels, has_image, ids, present & ("text" not in masked)

    def masked(self, items: Int64, generator: torch.Generator, way: int | None = None) -> Beit3Batch:
        """A batch to learn from: every item is shown in one of the ways of :data:`SHOWN`, drawn, or in ``way``.

        An item with one modality has some of it masked.
        """
        pixels, has_image, ids, present = self.shown(items)
        has_text = present.any(dim=1)
        both = has_image & has_text
        ways = torch.multinomial(torch.tensor(self.shares), len(items), replacement=True, generator=generator)
        ways = ways if way is None else torch.full_like(ways, way)
        maskable = present & maskable_words(ids, self.words.special)
        some_words = mask_words(maskable, generator, self.word_ratio)
        some_patches = mask_patches(len(items), (self.grid, self.grid), generator, self.patch_ratio)
        words_of = [has_text & (~both | (ways == 0)), both & (ways == 2)]
        patches_of = [has_image & (~both | (ways == 1)), both & (ways == 3)]
        return Beit3Batch(
            pixels,
            has_image,
            ids,
            present & ~(both & (ways == 4))[:, None],
            (some_words & words_of[0][:, None]) | (maskable & words_of[1][:, None]),
            (some_patches & patches_of[0][:, None]) | patches_of[1][:, None],
            self._codes(items),
            self.bag_words.bags(ids, present),
            self._look(pixels, items),
            has_image,
        )

    def _codes(self, items: Int64) -> Tensor:
        if self.codes is None:
            return torch.zeros(len(items), 0, dtype=torch.int64)
        return torch.from_numpy(self.codes[items].astype(np.int64))

    def _look(self, pixels: Tensor, items: Int64) -> Tensor:
        if self.codes is None:
            return F.adaptive_avg_pool2d(pixels, THUMBNAIL).flatten(1)
        codes = self._codes(items)
        bags = torch.zeros(len(items), self.n_codes)
        return bags.scatter_add_(1, codes, torch.full(codes.shape, 1.0 / codes.shape[1]))
