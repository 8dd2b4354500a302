"""Plain encoder vectors of the items as feature matrices."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alignrec_geo.content.encoders.base import ImageEncoder, TextEncoder
from alignrec_geo.content.item_encoder import EXTRACTED
from alignrec_geo.content.progress import Progress
from alignrec_geo.content.throughput import Throughput
from alignrec_geo.content.tokens.encoded import Engine
from alignrec_geo.content.tokens.image_tokens import image_tokens
from alignrec_geo.content.tokens.text_tokens import text_tokens
from alignrec_geo.dataset.features import Features
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.typing import Int64


def extract_text(
    dataset: Dataset,
    encoder: TextEncoder,
    name: str = "text",
    cache: Path | None = None,
    batch_size: int = 32,
    progress: Progress | None = None,
    throughput: Throughput | None = None,
    engine: Callable[[Sequence[Sequence[int]]], Engine] | None = None,
) -> Features:
    """One vector per item from its title and text; see :func:`~alignrec_geo.content.tokens.text_tokens.text_tokens`."""
    tokens = text_tokens(dataset, encoder, cache, batch_size, progress, throughput=throughput, engine=engine)
    return _features(name, "title and text", encoder, tokens.slot, tokens.pooled)


def extract_image(
    dataset: Dataset,
    encoder: ImageEncoder,
    name: str = "image",
    cache: Path | None = None,
    batch_size: int = 32,
    progress: Progress | None = None,
    workers: int | None = None,
    throughput: Throughput | None = None,
    engine: Callable[[Sequence[Path]], Engine] | None = None,
) -> tuple[Features, dict[str, str]]:
    """One vector per item from its image; see :func:`~alignrec_geo.content.tokens.image_tokens.image_tokens`.

    Returns:
        The features, and why an image could not be read by external item id.
    """
    tokens = image_tokens(dataset, encoder, cache, batch_size, progress, workers, throughput, engine)
    return _features(name, "image", encoder, tokens.slot, tokens.pooled), tokens.broken


def _features(name: str, of: str, encoder: TextEncoder | ImageEncoder, slot: Int64, pooled: NDArray[Any]) -> Features:
    present = slot >= 0
    matrix = np.zeros((len(slot), pooled.shape[1]), dtype=np.float32)
    matrix[present] = pooled[slot[present]]
    meta = {"made by": EXTRACTED, "from": of, "encoder": encoder.name, "encoder sha256": encoder.fingerprint}
    return Features(name, matrix, present, meta)
