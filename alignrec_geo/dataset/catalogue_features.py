"""Plain features of the generated catalogue: made with numpy and Pillow, no encoder, nothing downloaded."""

import io
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from alignrec_geo.dataset.features import Features

THUMBNAIL = 8
"""Side of the thumbnail in pixels."""
HUES = 24
"""Bins of the colour histogram."""


def image_features(images: Sequence[bytes | None]) -> Features:
    """Thumbnail and colour histogram of every image, ``[I, 8·8·3 + 24]``; ``None`` for an item without one.

    The histogram counts hues, each pixel weighted by its saturation so that a pale background hardly
    counts. Both parts are centred over the items and scaled, the histogram to twice the mean length of the
    thumbnail, so that in a cosine the place of the shape does not drown its colour.

    Example:
        >>> from alignrec_geo.dataset.catalogue_images import Look, draw
        >>> image_features([draw(Look("mug", "red", "plain", (0.5,) * 7), size=16), None]).present.tolist()
        [True, False]
    """
    present = np.array([image is not None for image in images], dtype=np.bool_)
    opened = [Image.open(io.BytesIO(image)).convert("RGB") for image in images if image is not None]
    thumbnails = np.zeros((len(images), THUMBNAIL * THUMBNAIL * 3), dtype=np.float32)
    histograms = np.zeros((len(images), HUES), dtype=np.float32)
    for row, image in zip(np.flatnonzero(present), opened, strict=True):
        small = image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
        thumbnails[row] = np.asarray(small, dtype=np.float32).ravel() / 255
        histograms[row] = _hue_histogram(image)
    matrix = np.hstack([_balanced(thumbnails, present), 2 * _balanced(histograms, present)])
    made = f"{THUMBNAIL}x{THUMBNAIL} RGB thumbnail and {HUES}-bin hue histogram, both centred, numpy and Pillow"
    return Features(name="image", matrix=matrix, present=present, meta={"made_by": made})


def text_features(texts: Sequence[str | None]) -> Features:
    """Bag of words with tf-idf of every text, ``[I, words]``, rows of length one; ``None`` without one.

    There is one column for every word that occurs, in alphabetical order.

    Example:
        >>> text_features(["oak mug", "oak lamp", None]).matrix.shape
        (3, 3)
    """
    present = np.array([text is not None for text in texts], dtype=np.bool_)
    counts = [Counter(re.findall(r"[a-z]+", (text or "").lower())) for text in texts]
    document_frequency = Counter(word for words in counts for word in words)
    columns = {word: column for column, word in enumerate(sorted(document_frequency))}
    matrix = np.zeros((len(texts), len(columns)), dtype=np.float32)
    for row, words in enumerate(counts):
        for word, count in words.items():
            matrix[row, columns[word]] = count * np.log((1 + present.sum()) / document_frequency[word])
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    matrix /= np.where(lengths > 0, lengths, 1)
    return Features(
        name="text",
        matrix=matrix,
        present=present,
        meta={"made_by": "bag of words, tf-idf, one column per word, rows of length one"},
    )


def _hue_histogram(image: Image.Image) -> NDArray[np.float32]:
    """Hues weighted by saturation, each pixel shared between the two nearest bins."""
    hsv = np.asarray(image.convert("HSV"), dtype=np.float32).reshape(-1, 3)
    place = hsv[:, 0] / 256 * HUES
    lower = place.astype(np.int64)
    weight, upper_share = hsv[:, 1] / 255, place - lower
    shares = np.concatenate([weight * (1 - upper_share), weight * upper_share])
    histogram = np.bincount(np.concatenate([lower, lower + 1]) % HUES, shares, minlength=HUES)
    return np.asarray(histogram / max(histogram.sum(), 1e-9), dtype=np.float32)


def _balanced(matrix: NDArray[np.float32], present: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Centre over the items that have the modality and scale their rows to a mean length of one."""
    centred = np.where(present[:, None], matrix - matrix[present].mean(axis=0), 0)
    length = np.linalg.norm(centred[present], axis=1).mean()
    return np.asarray(centred / max(length, 1e-9), dtype=np.float32)
