"""The visual code of every patch of every image, for BEiT-3 to predict."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from alignrec_geo.content.encoders.base import ImageEncoder
from alignrec_geo.content.progress import Progress
from alignrec_geo.content.tokens.image_tokens import ImageTokens, averaged, image_tokens
from alignrec_geo.content.tokens.visual_codes import VisualCodebook
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.randomness import child_generator

_FITTED_ON = 4096
_AT_A_TIME = 128


def patch_codes(
    dataset: Dataset,
    encoder: ImageEncoder,
    grid: int,
    codebook: VisualCodebook | int,
    seed: int = 0,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> tuple[NDArray[np.int32], VisualCodebook]:
    """Encode all images once and give every patch the number of its visual word.

    Args:
        dataset: as stored, with images.
        encoder: frozen; its map is averaged to the grid.
        grid: patches along a side, at most as many as the map has.
        codebook: the visual words, or how many are to be fitted (:meth:`VisualCodebook.fit`).
        seed: of the fit.
        cache: folder of the token caches.
        progress: called with the number of images done and of all.

    Returns:
        Codes ``[I, grid * grid]``, 0 for items without image, and the codebook.

    Raises:
        InputError: the codebook belongs to another encoder, or the map is too coarse.
    """
    if grid > min(encoder.grid):
        raise InputError(
            f"the map of {encoder.name} has {encoder.grid[0]} x {encoder.grid[1]} cells, the images {grid} x {grid} "
            "patches; take larger patches, or predict pixels"
        )
    if isinstance(codebook, VisualCodebook) and codebook.encoder not in ("", encoder.fingerprint):
        raise InputError(f"the codebook was made for another image encoder than {encoder.name}")
    tokens = image_tokens(dataset, encoder, cache, progress=progress)
    rows = np.flatnonzero(tokens.slot >= 0)
    if isinstance(codebook, int):
        drawn = torch.randperm(len(rows), generator=child_generator(seed, "visual codes"))[:_FITTED_ON].sort().values
        maps = _cells(tokens, rows[drawn.numpy()], grid)
        codebook = VisualCodebook.fit(maps.numpy(), codebook, seed, encoder.fingerprint)
    codes = np.zeros((len(tokens.slot), grid * grid), dtype=np.int32)
    for start in range(0, len(rows), _AT_A_TIME):
        some = rows[start : start + _AT_A_TIME]
        codes[some] = codebook.codes(_cells(tokens, some, grid)).numpy()
    return codes, codebook


def _cells(tokens: ImageTokens, rows: NDArray[np.int64], grid: int) -> torch.Tensor:
    maps, _ = tokens.batch(rows.tolist())
    return averaged(maps, tokens.grid, (grid, grid))  # [n, grid², C]
