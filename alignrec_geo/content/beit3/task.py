"""Stage 1 by BEiT-3, from pixels and words: from scratch or from a public checkpoint."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alignrec_geo.content.beit3.aligner import Beit3Aligner, beit3_from_checkpoint
from alignrec_geo.content.beit3.codes import patch_codes
from alignrec_geo.content.beit3.config import ImageTarget
from alignrec_geo.content.beit3.data import PATCHES, SHOWN, WORDS, Beit3Data
from alignrec_geo.content.beit3.heads import Beit3ForPreTraining
from alignrec_geo.content.beit3.images import LARGEST_SIDE, ItemImages, item_image_files, sizes_for
from alignrec_geo.content.beit3.settings import Beit3Settings, Size
from alignrec_geo.content.beit3.vocabulary import Beit3Vocabulary
from alignrec_geo.content.encoders import open_image_encoder
from alignrec_geo.content.encoders.choose import PACKAGE
from alignrec_geo.content.pretraining.encode import encode_in_batches
from alignrec_geo.content.pretraining.held_out import MaskedTask
from alignrec_geo.content.progress import NamedProgress
from alignrec_geo.content.tokens.text_tokens import item_texts
from alignrec_geo.content.tokens.visual_codes import VisualCodebook
from alignrec_geo.content.tokens.vocabulary import Vocabulary
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.files import sha256_of
from alignrec_geo.typing import Int64

PUBLIC_WORDS = 64010
"""Words of the public ``beit3.spm``, ``<pad>`` and ``<mask>`` included."""
_AT_A_TIME = 64


class Beit3Task(MaskedTask):
    """Mask-then-predict on images and texts as they are.

    Images are decoded batch by batch. An item without image has every patch masked, one without text has none.

    Args:
        dataset: as stored, with images and texts.
        size: ``tiny`` or ``base``.
        settings: shapes and shares.
        checkpoint: a public checkpoint, or a folder of ``save_pretrained``, to go on from.
        tokenizer: ``beit3.spm``; without it pieces of words are learned from the texts.
        image_encoder: what visual codes are made with, ``package`` or a local folder.
        codebook: file of the user's own visual codes, in the space of the image encoder's map.
        seed: of initial values, visual codes and masks.
        cache: folder of the token caches.
        progress: called with what is going to be read; returns what is told of it.
        device: where the image encoder runs; the CPU if not given.

    Raises:
        InputError: no images, no texts, a checkpoint without its tokenizer, or files that do not fit.

    Example:
        >>> from alignrec_geo.dataset import Dataset
        >>> task = Beit3Task(Dataset.open("data/shop"), "tiny")  # doctest: +SKIP
    """

    modalities: tuple[str, ...] = ("image", "text")
    ways: ClassVar[Mapping[str, int]] = {WORDS: SHOWN.index(WORDS), PATCHES: SHOWN.index(PATCHES)}
    batch_size: ClassVar[int] = _AT_A_TIME

    def __init__(
        self,
        dataset: Dataset,
        size: Size = "tiny",
        settings: Beit3Settings | None = None,
        *,
        checkpoint: Path | None = None,
        tokenizer: Path | None = None,
        image_encoder: str = PACKAGE,
        codebook: Path | None = None,
        seed: int = 0,
        cache: Path | None = None,
        progress: NamedProgress | None = None,
        device: torch.device | None = None,
    ) -> None:
        self.settings = config = settings or Beit3Settings()
        if checkpoint is not None and tokenizer is None:
            raise InputError("a checkpoint knows its words by number; its tokenizer is needed, too: beit3.spm")
        report = progress or (lambda _: None)
        words, texts = _read_texts(dataset, config, tokenizer)
        side = LARGEST_SIDE if size == "base" and config.image_size is None else config.image_size
        side, patch = sizes_for(item_image_files(dataset), side, config.patch_size)
        images = ItemImages(dataset, side, report("images"))
        self.unreadable = images.broken
        target = _target(config.image_target, image_encoder, codebook)
        codes, n_codes = None, config.codes
        if target == "codes":
            encoder = open_image_encoder(image_encoder, device)
            book = config.codes if codebook is None else VisualCodebook.load(codebook)
            codes, fitted = patch_codes(dataset, encoder, side // patch, book, seed, cache, report("visual codes"))
            n_codes = len(fitted.centres)
        shape = config.shape(size, words.size, side, patch)
        shape.image_target, shape.visual_codes = target, n_codes
        if checkpoint is None:
            beit3 = Beit3ForPreTraining(shape, seed)
        else:
            beit3 = beit3_from_checkpoint(checkpoint, shape, target, n_codes, seed)
        self.data = Beit3Data(
            images,
            words.encode(texts, min(config.max_tokens, beit3.config.max_text_tokens)),
            words,
            _bag_words(words, texts, config.max_tokens),
            side // patch,
            codes,
            n_codes,
            config.word_ratio,
            config.patch_ratio,
        )
        self.model = Beit3Aligner(beit3, len(self.data.bag_words), self.data.look_width, config.vector_weight, seed)
        self.items: Int64 = np.flatnonzero(self.data.has().all(axis=1)).astype(np.int64)
        self.width = int(beit3.config.hidden_size)
        self._size, self._checkpoint = size, None if checkpoint is None else _named(checkpoint)

    def vectors(self, items: Int64, masked: Collection[str] = ()) -> Tensor:
        """CLS of the fused pass over everything that is there."""
        self.model.eval()

        def encode(rows: Int64) -> Tensor:
            pixels, has_image, ids, present = (part.to(self.device) for part in self.data.shown(rows, masked))
            out: Tensor = self.model.ica.beit3(pixels, ids, present, image_present=has_image).vector
            shown: Tensor = out * (has_image | present.any(dim=1))[:, None]
            return shown

        return encode_in_batches(encode, items, self.width, _AT_A_TIME)

    def present(self) -> NDArray[np.bool_]:
        """Which items have an image that can be read, or a text."""
        return np.asarray(self.data.has().any(axis=1))

    def config(self) -> dict[str, Any]:
        """Settings, shape and where the weights came from."""
        return {
            "settings": self.settings.model_dump(),
            "size": self._size,
            "checkpoint": self._checkpoint,
            "beit3": self.model.ica.config.to_dict(),
            "max_tokens": min(self.settings.max_tokens, self.model.ica.config.max_text_tokens),
            "tokenizer": self.data.words.sha256,
            "modalities": list(self.modalities),
        }

    def save(self, folder: Path) -> None:
        """Write the tokenizer beside the encoder."""
        self.data.words.save(folder)


def _read_texts(
    dataset: Dataset, config: Beit3Settings, tokenizer: Path | None
) -> tuple[Beit3Vocabulary, list[str | None]]:
    texts = item_texts(dataset.items)
    given = [text for text in texts if text is not None]
    if not given:
        raise InputError(f"data set '{dataset.name}' has no texts: no item has a title or a text")
    if tokenizer is None:
        return Beit3Vocabulary.learn(given, config.vocabulary), texts
    return Beit3Vocabulary.of_checkpoint(tokenizer, PUBLIC_WORDS), texts


def _bag_words(words: Beit3Vocabulary, texts: list[str | None], max_tokens: int) -> Vocabulary:
    ids = [text for text in words.encode(texts, max_tokens) if len(text)]
    offsets = np.cumsum([0, *(len(text) for text in ids)]).astype(np.int64)
    return Vocabulary.count(np.concatenate(ids), offsets, words.special)


def _target(wanted: str, image_encoder: str, codebook: Path | None) -> ImageTarget:
    """Codes where they can be made, if nothing else is wanted."""
    if wanted == "auto" and codebook is None and image_encoder == PACKAGE:
        from alignrec_geo.content.encoders.packages import LITE0, LITE_CODE

        try:
            LITE0.locate()
            LITE_CODE.locate()
        except InputError:
            return "pixels"
    if wanted == "pixels" and codebook is not None:
        raise InputError("a codebook is for image_target=codes (got pixels)")
    return "pixels" if wanted == "pixels" else "codes"


def _named(checkpoint: Path) -> str:
    """Name and hash of a checkpoint; of a folder, its weights'."""
    file = checkpoint / "model.safetensors" if checkpoint.is_dir() else checkpoint
    return f"{checkpoint.name}, sha256 {sha256_of(file)}" if file.is_file() else checkpoint.name
