"""Images as BEiT-3 takes them, decoded when they are needed."""

import statistics
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alignrec_geo.content.progress import Progress
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.image_files import image_size, stretched
from alignrec_geo.image_files import read_image as decoded
from alignrec_geo.typing import Int64

LARGEST_SIDE = 224
"""Side that the public checkpoints take; a size chosen from the data is never larger."""
_PATCHES = (16, 8, 4, 2, 1)
_FEWEST = 4  # patches along a side
_TOLD_EVERY = 64


def read_image(file: Path, side: int) -> NDArray[np.uint8] | str:
    """Decode an image and stretch it to a square ``[side, side, 3]``, or say why it cannot be read."""
    return decoded(file, lambda image: stretched(image, side))


def as_pixels(images: Sequence[NDArray[np.uint8] | None], side: int) -> tuple[Tensor, Tensor]:
    """Scale decoded images to [-1, 1]: ``[n, 3, side, side]``, and which there are, ``[n]``; others are zero."""
    pixels = torch.zeros(len(images), 3, side, side)
    present = torch.tensor([image is not None for image in images], dtype=torch.bool)
    for row, image in enumerate(images):
        if image is not None:
            pixels[row] = torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1) / 127.5 - 1.0
    return pixels, present


class ItemImages:
    """The images of a data set; one batch of them is in memory at a time.

    Every image is decoded once at the start, to tell the broken ones, which count as missing.

    Args:
        dataset: as stored.
        side: the square that images are stretched to.
        progress: called with the number of images looked at and of all.

    Raises:
        InputError: no item has an image that can be read.
    """

    def __init__(self, dataset: Dataset, side: int, progress: Progress | None = None) -> None:
        self.side = side
        self._files = item_image_files(dataset)
        self.broken: dict[str, str] = {}
        """Why an image could not be read, by external item id."""
        rows = [row for row, file in enumerate(self._files) if file is not None]
        for done, row in enumerate(rows, start=1):
            if isinstance(reason := self._read(row), str):
                self.broken[str(dataset.items["id"][row])] = reason
                self._files[row] = None
            if progress is not None and (done % _TOLD_EVERY == 0 or done == len(rows)):
                progress(done, len(rows))
        self.has: NDArray[np.bool_] = np.array([file is not None for file in self._files])
        """Which items have an image that can be read, ``[I]``."""
        if not self.has.any():
            first = next(iter(self.broken.items()), None)
            why = "import it with images=" if first is None else f"item '{first[0]}': {first[1]}"
            raise InputError(f"data set '{dataset.name}' has no images that can be read; {why}")

    def batch(self, items: Int64) -> tuple[Tensor, Tensor]:
        """Pixels ``[n, 3, side, side]`` in [-1, 1] of item rows, and which items have an image, ``[n]``."""
        found = [self._read(int(row)) for row in items]
        return as_pixels([None if isinstance(image, str) else image for image in found], self.side)

    def _read(self, row: int) -> NDArray[np.uint8] | str | None:
        file = self._files[row]
        return None if file is None else read_image(file, self.side)


def item_image_files(dataset: Dataset) -> list[Path | None]:
    """The file of every item's image."""
    return [dataset.image_path(row) for row in range(dataset.items.height)]


def sizes_for(files: Sequence[Path | None], side: int | None = None, patch: int | None = None) -> tuple[int, int]:
    """Choose the side of the images and of a patch where they are not given.

    The side is the median of the images' shorter sides, at most 224 and a multiple of the patch; a patch has 16
    pixels, or the half (or quarter…) if an image would have fewer than 4 of them along a side.

    Args:
        files: of the images; only their headers are read.
        side: of an image, if given.
        patch: of a patch, if given.

    Raises:
        InputError: the side is no multiple of the patch.
    """
    wanted = side if side is not None else min(LARGEST_SIDE, _usual_side(files))
    if patch is None:
        fitting = (p for p in _PATCHES if wanted >= _FEWEST * p and (side is None or side % p == 0))
        patch = next(fitting, 1)
    if side is not None and (side < patch or side % patch):
        raise InputError(f"image_size must be a multiple of patch_size (got {side} and {patch})")
    return (max(wanted // patch, 1) * patch if side is None else side), patch


def _usual_side(files: Sequence[Path | None]) -> int:
    sizes = [image_size(file) for file in files if file is not None]
    sides = [min(size) for size in sizes if size is not None]  # a broken image is reported when it is decoded
    return int(statistics.median(sides)) if sides else LARGEST_SIDE
