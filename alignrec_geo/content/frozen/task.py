"""Stage 1 on frozen package encoders: their tokens are cached once, a small multiway stack learns on top."""

import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from alignrec_geo.content.encoders import open_image_encoder, open_text_encoder
from alignrec_geo.content.encoders.choose import PACKAGE
from alignrec_geo.content.frozen.data import SHOWN, FrozenData
from alignrec_geo.content.frozen.model import PATCHES, WORDS, FrozenModel, FusedEncoder
from alignrec_geo.content.frozen.summary import ItemSummary
from alignrec_geo.content.multiway.stack import MultiwayStack
from alignrec_geo.content.pretraining.encode import encode_in_batches
from alignrec_geo.content.pretraining.former import FORMER_SETTINGS
from alignrec_geo.content.pretraining.held_out import MaskedTask
from alignrec_geo.content.progress import NamedProgress
from alignrec_geo.content.tokens.image_tokens import ImageTokens, averaged, image_tokens
from alignrec_geo.content.tokens.text_tokens import TextTokens, WordMasking, text_tokens
from alignrec_geo.content.tokens.visual_codes import VisualCodebook
from alignrec_geo.content.tokens.vocabulary import Vocabulary
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.randomness import child_generator
from alignrec_geo.settings import Settings
from alignrec_geo.typing import Int64

_FITTED_ON = 4096
"""Items that visual codes and principal directions are fitted on."""
_AT_A_TIME = 128
"""Items encoded together where nothing is trained."""


class FrozenConfig(Settings):
    """Shape of the stack and of what is masked."""

    renamed: ClassVar[Mapping[str, str]] = FORMER_SETTINGS
    loop_defaults: ClassVar[Mapping[str, Any]] = {"epochs": 8, "eval_every": 4}
    """Settings of the loop whose default is another here: with more epochs, texts are learned by heart."""

    dim: int = Field(default=512, ge=2)
    """Width of the item vectors; with fewer items than that, their number less one."""
    hidden: int = Field(default=256, ge=8)
    """Width of the stack."""
    layers: int = Field(default=3, ge=1)
    """Multiway blocks."""
    heads: int = Field(default=4, ge=1)
    """Attention heads; they divide ``hidden``."""
    grid: int = Field(default=7, ge=1)
    """The image's map is averaged to so many rows and columns."""
    max_tokens: int = Field(default=96, ge=4)
    """Word pieces that a text is cut to."""
    word_ratio: float = Field(default=0.3, gt=0.0, lt=1.0)
    """Share of the words that are masked."""
    patch_ratio: float = Field(default=0.4, gt=0.0, lt=1.0)
    """Share of the patches that are masked, in blocks."""
    masked_copies: int = Field(default=2, ge=1)
    """Times the text encoder encodes all texts with other words masked; one is drawn per item and step."""
    codes: int = Field(default=256, ge=2)
    """Visual codes: clusters of the map's cells."""
    image_share: float = Field(default=0.2, ge=0.0)
    """Weight of the image in what an item is, beside 1 each for the sense of its text and for its words."""
    vector_weight: float = Field(default=1.0, ge=0.0)
    """Weight of what the item's vector itself has to predict."""


class FrozenTask(MaskedTask):
    """Mask-then-predict on the tokens of a frozen image and a frozen text encoder.

    Args:
        dataset: as stored, with images and texts.
        encoders: sources of the image and the text encoder: ``package``, or a local folder. The text encoder needs a
            mask token.
        config: shapes and shares.
        seed: of the initial values and of what is masked.
        cache: folder of the token caches.
        progress: called with what is going to be encoded; returns what is told of it.
        device: where the frozen encoders run; the CPU if not given.

    Raises:
        InputError: no images, no texts, or too few words to learn from.
    """

    modalities: tuple[str, ...] = ("image", "text")
    ways: ClassVar[Mapping[str, int]] = {WORDS: SHOWN.index(WORDS), PATCHES: SHOWN.index(PATCHES)}
    batch_size: ClassVar[int] = _AT_A_TIME

    def __init__(
        self,
        dataset: Dataset,
        encoders: tuple[str, str] = (PACKAGE, PACKAGE),
        config: FrozenConfig | None = None,
        seed: int = 0,
        *,
        cache: Path | None = None,
        progress: NamedProgress | None = None,
        device: torch.device | None = None,
    ) -> None:
        image, text = open_image_encoder(encoders[0], device), open_text_encoder(encoders[1], device)
        self.settings = config or FrozenConfig()
        report = progress or (lambda _: None)
        images = image_tokens(dataset, image, cache, progress=report("images"))
        texts = text_tokens(dataset, text, cache, progress=report("texts"))
        masked_copies = [
            text_tokens(
                dataset,
                text,
                cache,
                progress=report(f"masked texts {number + 1} of {self.settings.masked_copies}"),
                masking=WordMasking(self.settings.word_ratio, seed * self.settings.masked_copies + number),
            )
            for number in range(self.settings.masked_copies)
        ]
        self.unreadable = images.broken
        vocabulary = Vocabulary.count(texts.ids, texts.offsets, text.special_ids)
        grid = (min(self.settings.grid, images.grid[0]), min(self.settings.grid, images.grid[1]))
        codebook = _codebook(images, grid, self.settings.codes, seed, image.fingerprint)
        summary = ItemSummary.fit(_vectors(texts), _vectors(images), vocabulary, self.settings.image_share)
        self.data = FrozenData(
            images,
            texts,
            masked_copies,
            summary,
            codebook,
            grid,
            min(self.settings.max_tokens, int(np.diff(texts.offsets).max())),
            patch_ratio=self.settings.patch_ratio,
        )
        stack = MultiwayStack(
            self.data.streams, self.settings.hidden, self.settings.layers, self.settings.heads, seed=seed
        )
        words = text.word_vectors()[torch.from_numpy(vocabulary.ids)].float().cpu()
        self.items: Int64 = np.flatnonzero(self.data.has().all(axis=1)).astype(np.int64)
        self.width = max(2, min(self.settings.dim, len(self.items) - 1))
        encoder = FusedEncoder(stack, summary, self.width)
        self.model: FrozenModel = FrozenModel(encoder, words, len(codebook.centres), self.settings.vector_weight, seed)
        drawn = torch.randperm(len(self.items), generator=child_generator(seed, "summaries"))[:_FITTED_ON].sort().values
        chunks = np.array_split(self.items[drawn.numpy()], math.ceil(len(drawn) / _AT_A_TIME))
        encoder.readout.fit(torch.cat([self.data.content(chunk).seen for chunk in chunks]))
        self._encoders = {
            "image": {"source": encoders[0], "name": image.name, "sha256": image.fingerprint},
            "text": {"source": encoders[1], "name": text.name, "sha256": text.fingerprint},
        }

    def vectors(self, items: Int64, masked: Collection[str] = ()) -> Tensor:
        """The vector of the fused pass over everything that is there."""
        self.model.eval()

        def encode(rows: Int64) -> Tensor:
            vectors: Tensor = self.model.encoder(*self.data.content(rows, masked).to(self.device))
            return vectors

        return encode_in_batches(encode, items, self.width, _AT_A_TIME)

    def present(self) -> NDArray[np.bool_]:
        """Which items have an image or a text."""
        return np.asarray(self.data.has().any(axis=1))

    def save(self, folder: Path) -> None:
        """Nothing: weights and ``config.json`` are all there is."""

    def config(self) -> dict[str, Any]:
        """Settings, streams and encoders."""
        return {
            "settings": self.settings.model_dump(),
            "streams": self.data.streams,
            "grid": self.data.grid,
            "width": self.width,
            "words": len(self.data.vocabulary),
            "text_width": self.data.texts.pooled.shape[1],
            "modalities": list(self.modalities),
            "encoders": self._encoders,
        }


def _codebook(images: ImageTokens, grid: tuple[int, int], codes: int, seed: int, encoder: str) -> VisualCodebook:
    """Clusters of the averaged cells of some images."""
    places = np.unique(images.slot[images.slot >= 0])
    drawn = torch.randperm(len(places), generator=child_generator(seed, "visual codes"))[:_FITTED_ON].sort().values
    maps = torch.from_numpy(images.patches[places[drawn.numpy()]].astype(np.float32))
    return VisualCodebook.fit(averaged(maps, images.grid, grid).numpy(), codes, seed, encoder)


def _vectors(tokens: ImageTokens | TextTokens) -> Tensor:
    """The vectors of all items that have one."""
    return torch.from_numpy(np.asarray(tokens.pooled[tokens.slot[tokens.slot >= 0]]))
