"""Batches for the multiway stack: from cached tokens to what is shown and what is hidden."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from alignrec_geo.content.image_tokens import ImageTokens
from alignrec_geo.content.masking import mask_patches
from alignrec_geo.content.package_model import PATCHES, PICTURE, WORDS, PackageBatch
from alignrec_geo.content.text_tokens import TextTokens
from alignrec_geo.content.visual_codes import VisualCodebook
from alignrec_geo.content.vocabulary import Vocabulary
from alignrec_geo.dataset.interactions import Int64

SHOWN = ("words", "patches", "image only", "text only")
"""What is done to an item that has both: words masked, patches masked, the text left out, the picture left out."""


class Content(NamedTuple):
    """The unmasked tokens of ``n`` items."""

    tokens: dict[str, Tensor]
    present: dict[str, Tensor]

    def to(self, device: torch.device) -> "Content":
        """The same on another device."""
        return Content(*({name: part.to(device) for name, part in parts.items()} for parts in self))


@dataclass(frozen=True)
class PackageData:
    """The cached tokens of a data set.

    Args:
        images: patch maps and vectors of the pictures.
        texts: token states of the texts as they are.
        masked_texts: the same texts with words hidden, several drawings; one is drawn per item and step.
        vocabulary: the words that are predicted.
        codebook: the visual codes that are predicted.
        grid: the map is averaged to so many rows and columns.
        longest: words a text is cut to.
        shares: how often items are shown in each way of :data:`SHOWN`.
        patch_ratio: share of the patches that are masked.
    """

    images: ImageTokens
    texts: TextTokens
    masked_texts: Sequence[TextTokens]
    vocabulary: Vocabulary
    codebook: VisualCodebook
    grid: tuple[int, int] = (7, 7)
    longest: int = 96
    shares: tuple[float, float, float, float] = (0.35, 0.35, 0.15, 0.15)
    patch_ratio: float = 0.4

    @property
    def streams(self) -> dict[str, tuple[int, int]]:
        """Most tokens and width of every stream."""
        return {
            PATCHES: (self.grid[0] * self.grid[1], self.images.patches.shape[2]),
            PICTURE: (1, self.images.pooled.shape[1]),
            WORDS: (self.longest, self.texts.states.shape[1]),
        }

    def has(self) -> np.ndarray:
        """Which items have a picture and which a text, ``[I, 2]`` bool."""
        return np.stack([self.images.slot >= 0, self.texts.slot >= 0], axis=1)

    def content(self, items: Int64, masked: Collection[str] = ()) -> Content:
        """Everything there is of the items, but for modalities (``image``, ``text``) in ``masked``."""
        patches, picture, has_image = self._pictures(items)
        states, _, mask = self._words(self.texts, items)
        image = has_image & ("image" not in masked)
        return stream_content(patches, picture, image, states, mask & ("text" not in masked))

    def masked(self, items: Int64, generator: torch.Generator, way: int | None = None) -> PackageBatch:
        """A batch to learn from: every item is shown in one of the ways of :data:`SHOWN`, drawn, or in ``way``."""
        patches, picture, has_image = self._pictures(items)
        states, ids, mask = self._words(self.texts, items)
        has_text = mask.any(dim=1)
        both = has_image & has_text
        ways = torch.multinomial(torch.tensor(self.shares), len(items), replacement=True, generator=generator)
        ways = ways if way is None else torch.full_like(ways, way)
        hide_words, hide_patches = has_text & (~both | (ways == 0)), has_image & (~both | (ways == 1))
        show_image, show_text = has_image & ~(both & (ways == 3)), mask & ~(both & (ways == 2))[:, None]
        target = torch.full_like(ids, -1)
        drawn = torch.randint(len(self.masked_texts), (len(items),), generator=generator)
        for number, text in enumerate(self.masked_texts):
            rows = hide_words & (drawn == number)
            if bool(rows.any()):
                other, other_ids, _ = self._words(text, items[rows.numpy()])
                states[rows, : other.shape[1]] = other
                target[rows, : other.shape[1]] = torch.where(
                    other_ids != ids[rows, : other.shape[1]], self.vocabulary.number(ids[rows, : other.shape[1]]), -1
                )
        codes = self.codebook.codes(patches)
        hidden = mask_patches(len(items), self.grid, generator, self.patch_ratio) & hide_patches[:, None]
        tokens, present = stream_content(patches, picture, show_image, states, show_text)
        return PackageBatch(
            tokens,
            present,
            {PATCHES: hidden, PICTURE: hide_patches[:, None]},
            word_target=target,
            code_target=torch.where(hidden, codes, -1),
            bag=self.vocabulary.bags(ids, mask),
            code_bag=self._code_bags(codes, has_image),
        )

    def _pictures(self, items: Int64) -> tuple[Tensor, Tensor, Tensor]:
        maps, has = self.images.batch(items.tolist())  # [n, P, C]
        patches = averaged(maps, self.images.grid, self.grid)
        picture = torch.zeros(len(items), 1, self.images.pooled.shape[1])
        slots = self.images.slot[items]
        picture[has, 0] = torch.from_numpy(self.images.pooled[slots[slots >= 0]])
        return patches, picture, has

    def _words(self, texts: TextTokens, items: Int64) -> tuple[Tensor, Tensor, Tensor]:
        ids, states, mask = texts.batch(items.tolist())
        return states[:, : self.longest], ids[:, : self.longest], mask[:, : self.longest]

    def _code_bags(self, codes: Tensor, has: Tensor) -> Tensor:
        bags = torch.zeros(len(codes), len(self.codebook.centres))
        bags.scatter_add_(1, codes, torch.full(codes.shape, 1.0 / codes.shape[1]))
        return bags * has[:, None]


def averaged(maps: Tensor, grid: tuple[int, int], onto: tuple[int, int]) -> Tensor:
    """Average the cells of maps ``[n, P, C]`` to a smaller grid.

    Example:
        >>> averaged(torch.tensor([[[1.0], [3.0], [5.0], [7.0]]]), (2, 2), (1, 1))
        tensor([[[4.]]])
    """
    square = maps.transpose(1, 2).unflatten(2, grid)  # [n, C, rows, columns]
    return F.adaptive_avg_pool2d(square, onto).flatten(2).transpose(1, 2)


def derangement(n: int, generator: torch.Generator) -> Tensor:
    """A drawn order of ``n`` things in which none stays in its place (if n > 1).

    Example:
        >>> bool((derangement(5, torch.Generator().manual_seed(0)) == torch.arange(5)).any())
        False
    """
    circle = torch.randperm(n, generator=generator)
    order = torch.empty_like(circle)
    order[circle] = circle.roll(1)
    return order


def with_partners(batch: PackageBatch, stream: str, order: Tensor) -> PackageBatch:
    """The batch with the pictures (``patches``) or the texts (``words``) of the items in ``order`` beside the rest."""
    moved = (PATCHES, PICTURE) if stream == PATCHES else (WORDS,)
    tokens, present = (
        {name: part[order] if name in moved else part for name, part in parts.items()}
        for parts in (batch.tokens, batch.present)
    )
    return batch._replace(tokens=tokens, present=present)


def stream_content(patches: Tensor, picture: Tensor, image: Tensor, states: Tensor, words: Tensor) -> Content:
    """Put patches ``[n, P, C]``, pictures ``[n, 1, D]`` and words ``[n, T, E]`` into their streams."""
    tokens = {PATCHES: patches, PICTURE: picture, WORDS: states}
    return Content(
        tokens, {PATCHES: image[:, None].expand(-1, patches.shape[1]), PICTURE: image[:, None], WORDS: words}
    )
