"""A pre-trained BEiT-3 for items one by one: new ones, or with a modality hidden."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from alignrec_geo.content.beit3.config import Beit3Config
from alignrec_geo.content.beit3.images import as_pixels, read_image
from alignrec_geo.content.beit3.model import Beit3Model
from alignrec_geo.content.beit3.vocabulary import Beit3Vocabulary
from alignrec_geo.content.item_encoder import NewItem
from alignrec_geo.errors import InputError
from alignrec_geo.nn.whitening import Whitening

_ENCODER = "ica.beit3."


class Beit3ItemEncoder:
    """Pixels and words through the fused pass, then the whitening.

    Args:
        model: the trained encoder.
        words: its tokenizer.
        max_tokens: tokens that a text is cut to.
        whitening: of the vectors, if any.
        device: where to run.
    """

    name = "BEiT-3"
    modalities: tuple[str, ...] = ("image", "text")

    def __init__(
        self,
        model: Beit3Model,
        words: Beit3Vocabulary,
        max_tokens: int,
        whitening: Whitening | None,
        device: torch.device,
    ) -> None:
        self._model = model.to(device).eval()  # type: ignore[arg-type]
        self._words, self._max_tokens, self._whitening, self._device = words, max_tokens, whitening, device
        self.width = int(model.config.hidden_size)

    @torch.no_grad()
    def encode(self, items: Sequence[NewItem], masked: Collection[str] = ()) -> tuple[Tensor, Tensor]:
        """CLS of the fused pass; see :class:`~alignrec_geo.content.item_encoder.ItemEncoder`."""
        side = int(self._model.config.image_size)
        found = [None if item.image is None or "image" in masked else read_image(item.image, side) for item in items]
        pixels, has_image = as_pixels([image if isinstance(image, np.ndarray) else None for image in found], side)
        texts = [None if "text" in masked else item.text or None for item in items]
        ids, present = self._words.batch(self._words.encode(texts, self._max_tokens))
        parts = [part.to(self._device) for part in (pixels, ids, present)]
        vectors = self._model(*parts, image_present=has_image.to(self._device)).vector.float().cpu()
        has = has_image | present.any(dim=1)
        vectors = vectors if self._whitening is None else self._whitening(vectors)
        return vectors * has[:, None], has


def open_beit3_encoder(
    folder: Path, config: dict[str, Any], tensors: dict[str, Tensor], device: torch.device
) -> Beit3ItemEncoder:
    """Open what ``pretrain --encoder beit3-tiny`` or ``beit3-base`` left.

    Raises:
        InputError: the tokenizer is missing or not that of the training.
    """
    task = config["task"]
    words = Beit3Vocabulary.load(folder)
    if words.sha256 != task["tokenizer"]:
        raise InputError(f"{folder}: the tokenizer is not that of the training")
    with torch.device("meta"):
        model = Beit3Model(Beit3Config(**task["beit3"]))
    weights = {name.removeprefix(_ENCODER): part for name, part in tensors.items() if name.startswith(_ENCODER)}
    model.load_state_dict(weights, assign=True)
    return Beit3ItemEncoder(model, words, int(task["max_tokens"]), Whitening.of(tensors), device)
