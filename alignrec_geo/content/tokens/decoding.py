"""Images decoded ahead of the encoder, in worker processes."""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from alignrec_geo.content.encoders.base import ImageEncoder
from alignrec_geo.image_files import read_image

Decoded = NDArray[np.uint8] | str
"""An image as the encoder takes it, or why it cannot be read."""
MOST_WORKERS = 8


class ImageFiles(Dataset[Decoded]):
    """Image files as an encoder takes them.

    Args:
        encoder: prepares them.
        files: the images.
    """

    def __init__(self, encoder: ImageEncoder, files: Sequence[Path]) -> None:
        self.encoder, self.files = encoder, files

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, number: int) -> Decoded:
        """The image of a file, or why it cannot be read."""
        return read_image(self.files[number], self.encoder.prepare)


def decoded_batches(
    encoder: ImageEncoder, files: Sequence[Path], batches: Sequence[Sequence[int]], workers: int = 0
) -> Iterator[list[Decoded]]:
    """Decode batches of images in their order.

    Args:
        encoder: prepares them.
        files: the images.
        batches: places in ``files``.
        workers: processes that decode ahead; 0 decodes in this one, when a batch is asked for.
    """
    images = ImageFiles(encoder, files)
    if workers == 0 or not batches:
        yield from ([images[number] for number in batch] for batch in batches)
        return
    # forked, where that is possible: the encoder, which may lie on a GPU, need not be sent to them
    fork = "fork" if "fork" in multiprocessing.get_all_start_methods() else None
    yield from DataLoader(
        images,
        batch_sampler=[list(batch) for batch in batches],
        num_workers=workers,
        collate_fn=_as_they_are,
        prefetch_factor=2,
        multiprocessing_context=fork,
    )


def default_workers(device: torch.device) -> int:
    """Processes that decode for an encoder: none where encoder and decoder share the CPU, else up to 8."""
    return 0 if device.type == "cpu" else min(MOST_WORKERS, max((os.cpu_count() or 1) - 1, 0))


def _as_they_are(images: list[Any]) -> list[Any]:
    return images
