"""The pre-trained stack on frozen encoders, for items one by one: new ones, or with a modality hidden."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alignrec_geo.content.encoders import open_image_encoder, open_text_encoder
from alignrec_geo.content.encoders.base import ImageEncoder, TextEncoder
from alignrec_geo.content.frozen.data import Content, Texts, stream_content
from alignrec_geo.content.frozen.model import PATCHES, WORDS, FusedEncoder
from alignrec_geo.content.frozen.summary import ItemSummary
from alignrec_geo.content.item_encoder import NewItem
from alignrec_geo.content.multiway.stack import MultiwayStack
from alignrec_geo.content.tokens.image_tokens import averaged, prepare_image
from alignrec_geo.errors import InputError
from alignrec_geo.nn.whitening import Whitening

_OURS = "encoder."


class FrozenItemEncoder:
    """Image and text through their frozen encoders, then the fused pass of the stack, then the whitening.

    Args:
        image: the image encoder that the stack was trained on.
        text: the text encoder.
        model: the trained model.
        grid: the image's map is averaged to so many rows and columns.
        whitening: of the vectors, if any.
        device: where the model is.
    """

    name = "multiway stack on package encoders"
    modalities: tuple[str, ...] = ("image", "text")

    def __init__(
        self,
        image: ImageEncoder,
        text: TextEncoder,
        model: FusedEncoder,
        grid: tuple[int, int],
        whitening: Whitening | None,
        device: torch.device,
    ) -> None:
        self._image, self._text, self._grid, self._whitening, self._device = image, text, grid, whitening, device
        self._model = model.to(device).eval()
        self.width = len(model.readout.basis)

    @torch.no_grad()
    def encode(self, items: Sequence[NewItem], masked: Collection[str] = ()) -> tuple[Tensor, Tensor]:
        """CLS of the fused pass; see :class:`~alignrec_geo.content.item_encoder.ItemEncoder`."""
        images = {} if "image" in masked else self._images(items)
        texts = {} if "text" in masked else {n: item.text for n, item in enumerate(items) if item.text}
        content = self._content(len(items), images, texts).to(self._device)
        has = content.present[WORDS].any(dim=1) | content.present[PATCHES].any(dim=1)
        vectors = self._model(*content).float().cpu()
        vectors = vectors if self._whitening is None else self._whitening(vectors)
        return vectors * has.cpu()[:, None], has.cpu()

    def _images(self, items: Sequence[NewItem]) -> dict[int, NDArray[np.uint8]]:
        found = {}
        for n, item in enumerate(items):
            prepared = None if item.image is None else prepare_image(self._image, item.image)
            if isinstance(prepared, np.ndarray):
                found[n] = prepared
        return found

    def _content(self, n: int, images: dict[int, NDArray[np.uint8]], texts: dict[int, str]) -> Content:
        shapes = self._model.stack.shapes
        cells, width = shapes[PATCHES]
        patches, image = torch.zeros(n, cells, width), torch.zeros(n, 1, self._image.width)
        has = torch.zeros(n, dtype=torch.bool)
        if images:
            rows = list(images)
            out = self._image.encode(np.stack(list(images.values())))
            half = out.patches.to("cpu", torch.float16).float()  # as the token cache keeps them
            patches[rows], image[rows, 0] = averaged(half, self._image.grid, self._grid), out.pooled.float().cpu()
            has[rows] = True
        words = self._words(n, texts)
        return stream_content(patches, image, has, words, words.mask, self._model.summary)

    def _words(self, n: int, texts: dict[int, str]) -> Texts:
        max_tokens, wide = self._model.stack.shapes[WORDS]
        states, pooled = torch.zeros(n, max_tokens, wide), torch.zeros(n, self._text.width)
        ids, mask = torch.zeros(n, max_tokens, dtype=torch.int64), torch.zeros(n, max_tokens, dtype=torch.bool)
        if texts:
            rows, tokens = list(texts), self._text.tokenize(list(texts.values()))
            found = self._text.encode(tokens)
            length = min(max_tokens, found.states.shape[1])
            states[rows, :length] = found.states[:, :length].to("cpu", torch.float16).float()
            mask[rows, :length] = found.mask[:, :length].cpu()
            pooled[rows] = found.pooled.float().cpu()
            for row, text in zip(rows, tokens, strict=True):
                kept = text[:max_tokens]
                ids[row, : len(kept)] = torch.tensor(kept)
        return Texts(states, ids, mask, pooled)


def open_frozen_encoder(
    folder: Path, config: dict[str, Any], tensors: dict[str, Tensor], device: torch.device
) -> FrozenItemEncoder:
    """Open what ``pretrain --encoder frozen`` left.

    Raises:
        InputError: the frozen encoders are missing or not those of the training.
    """
    task = config["task"]
    settings, encoders = task["settings"], task["encoders"]
    image = open_image_encoder(encoders["image"]["source"], device)
    text = open_text_encoder(encoders["text"]["source"], device)
    for spec, opened in ((encoders["image"], image), (encoders["text"], text)):
        if opened.fingerprint != spec["sha256"]:
            raise InputError(f"{folder}: it was trained on another '{spec['name']}' (sha256 {spec['sha256'][:12]}…)")
    streams = {name: (int(tokens), int(width)) for name, (tokens, width) in task["streams"].items()}
    stack = MultiwayStack(streams, settings["hidden"], settings["layers"], settings["heads"])
    summary = ItemSummary.empty(text.width, task["words"], image.width, settings["image_share"])
    model = FusedEncoder(stack, summary, task["width"])
    model.load_state_dict({name.removeprefix(_OURS): t for name, t in tensors.items() if name.startswith(_OURS)})
    rows, columns = task["grid"]
    return FrozenItemEncoder(image, text, model, (int(rows), int(columns)), Whitening.of(tensors), device)
