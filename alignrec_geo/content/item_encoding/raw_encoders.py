"""Frozen encoders for items one by one: what ``features extract`` does for a whole data set."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from alignrec_geo.content.encoders import PACKAGE, ImageEncoder, TextEncoder, open_image_encoder, open_text_encoder
from alignrec_geo.content.item_encoder import ItemEncoder, NewItem
from alignrec_geo.content.tokens.image_tokens import prepare_image
from alignrec_geo.errors import InputError


class TextItemEncoder:
    """The vector of an item's title and text.

    Args:
        encoder: frozen.
    """

    modalities: tuple[str, ...] = ("text",)

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder
        self.name, self.width = encoder.name, encoder.width

    def encode(self, items: Sequence[NewItem], masked: Collection[str] = ()) -> tuple[Tensor, Tensor]:
        """See :class:`~alignrec_geo.content.item_encoder.ItemEncoder`."""
        texts = {} if "text" in masked else {row: item.text for row, item in enumerate(items) if item.text}
        vectors = torch.zeros(len(items), self.width)
        if texts:
            vectors[list(texts)] = self._encoder.encode(self._encoder.tokenize(list(texts.values()))).pooled.cpu()
        return vectors, _marked(len(items), texts)


class ImageItemEncoder:
    """The vector of an item's image.

    Args:
        encoder: frozen.
    """

    modalities: tuple[str, ...] = ("image",)

    def __init__(self, encoder: ImageEncoder) -> None:
        self._encoder = encoder
        self.name, self.width = encoder.name, encoder.width

    def encode(self, items: Sequence[NewItem], masked: Collection[str] = ()) -> tuple[Tensor, Tensor]:
        """See :class:`~alignrec_geo.content.item_encoder.ItemEncoder`."""
        images = {}
        for row, item in enumerate(items):
            if item.image is not None and "image" not in masked:
                prepared = prepare_image(self._encoder, item.image)
                if not isinstance(prepared, str):
                    images[row] = prepared
        vectors = torch.zeros(len(items), self.width)
        if images:
            vectors[list(images)] = self._encoder.encode(np.stack(list(images.values()))).pooled.cpu()
        return vectors, _marked(len(items), images)


def open_raw_encoder(
    feature: str, meta: Mapping[str, str], source: str = PACKAGE, device: torch.device | None = None
) -> ItemEncoder:
    """Open the frozen encoder that ``features extract`` made a matrix with.

    Args:
        feature: name of the matrix.
        meta: what it says of the encoder.
        source: ``package``, or the local ``transformers`` folder.
        device: where to run; the CPU if not given.

    Raises:
        InputError: the encoder cannot be opened, or is not the one that made the matrix.
    """
    encoder: ImageEncoder | TextEncoder
    wrapped: ItemEncoder
    if meta.get("from") in ("image", "picture"):
        encoder = open_image_encoder(source, device)
        wrapped = ImageItemEncoder(encoder)
    else:
        encoder = open_text_encoder(source, device)
        wrapped = TextItemEncoder(encoder)
    made_by = meta.get("encoder sha256")
    if encoder.fingerprint != made_by:
        raise InputError(
            f"features '{feature}' were made by the encoder '{meta.get('encoder')}', and '{source}' is "
            f"another one; name its folder with source="
        )
    return wrapped


def _marked(n: int, rows: Collection[int]) -> Tensor:
    present = torch.zeros(n, dtype=torch.bool)
    present[list(rows)] = True
    return present
