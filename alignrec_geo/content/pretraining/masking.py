"""What is hidden from the encoder: blocks of patches, words, whole modalities."""

import math
from collections.abc import Collection

import torch
from torch import Tensor

from alignrec_geo.errors import InputError

BEIT_RATIO = 75 / 196
"""Share of the patches that BEiT masks: 75 of 14 × 14."""

_ASPECTS = (0.3, 1 / 0.3)
"""Height over width of a block."""


def mask_patches(n: int, grid: tuple[int, int], generator: torch.Generator, ratio: float = BEIT_RATIO) -> Tensor:
    r"""Mask rectangular blocks of patches, as in `"BEiT" <https://arxiv.org/abs/2106.08254>`_.

    Blocks are drawn until the share is reached. A block has at least 16 / 196 of the grid's cells, at most what is
    still to be masked; its aspect ratio is log-uniform in [0.3, 1 / 0.3], its place uniform. The last block is cut
    from below, so that every image has the same number of masked patches, ``round(ratio · P)``.

    Args:
        n: images.
        grid: height and width in patches.
        generator: the source of randomness (CPU).
        ratio: share of the patches to mask, in (0, 1).

    Returns:
        ``[n, P]`` bool, row by row.

    Raises:
        InputError: the ratio is not between 0 and 1.

    Example:
        >>> mask_patches(2, (14, 14), torch.Generator().manual_seed(0)).sum(dim=1)
        tensor([75, 75])
    """
    _check_ratio(ratio)
    height, width = grid
    count = round(ratio * height * width)
    least = max(1.0, 16 / 196 * height * width)
    row, column = torch.arange(height)[:, None], torch.arange(width)[None, :]
    mask = torch.zeros(n, height, width, dtype=torch.bool)
    missing = torch.full((n,), count)  # [n]
    while bool((missing > 0).any()):
        draw = torch.rand(4, n, generator=generator)
        area = least + draw[0] * (missing - least).clamp_min(0)
        aspect = torch.exp(math.log(_ASPECTS[0]) + draw[1] * math.log(_ASPECTS[1] / _ASPECTS[0]))
        tall = (area * aspect).sqrt().round().clamp(1, height)
        wide = (area / aspect).sqrt().round().clamp(1, width)
        top, left = (draw[2] * (height - tall + 1)).floor(), (draw[3] * (width - wide + 1)).floor()
        inside = _between(row, top, tall) & _between(column, left, wide)
        fresh = (inside & ~mask).flatten(1)  # [n, P]
        fresh &= fresh.cumsum(dim=1) <= missing[:, None]
        mask |= fresh.view_as(mask)
        missing -= fresh.sum(dim=1)
    return mask.flatten(1)


def mask_words(maskable: Tensor, generator: torch.Generator, ratio: float = 0.15) -> Tensor:
    """Mask a share of each text's words, drawn without replacement.

    Args:
        maskable: words that may be masked, ``[n, T]`` bool (see :func:`maskable_words`).
        generator: the source of randomness (CPU).
        ratio: share to mask, in (0, 1); BEiT-3 takes 0.15 for texts alone and 0.5 for texts with an image.

    Returns:
        ``[n, T]`` bool with ``round(ratio · words)`` masked words per text, at least one if there is any.

    Raises:
        InputError: the ratio is not between 0 and 1.

    Example:
        >>> maskable = torch.tensor([[False, True, True, True, True], [False, False, False, False, False]])
        >>> mask_words(maskable, torch.Generator().manual_seed(0), ratio=0.5).sum(dim=1)
        tensor([2, 0])
    """
    _check_ratio(ratio)
    words = maskable.sum(dim=1)
    count = torch.maximum((words * ratio).round().long(), (words > 0).long())
    order = torch.rand(maskable.shape, generator=generator).to(maskable.device).masked_fill_(~maskable, 2.0)
    return order.argsort(dim=1).argsort(dim=1) < count[:, None]


def maskable_words(ids: Tensor, special: Collection[int]) -> Tensor:
    """Return where ``ids`` are none of the ``special`` ones (a tokenizer's ``all_special_ids``); any shape, bool.

    Example:
        >>> maskable_words(torch.tensor([[0, 7, 2, 1]]), special=[0, 1, 2, 3])
        tensor([[False,  True, False, False]])
    """
    return ~torch.isin(ids, torch.tensor(sorted(special), dtype=ids.dtype, device=ids.device))


def mask_modalities(present: Tensor, generator: torch.Generator) -> Tensor:
    """Hide whole modalities: of the ``k`` an item has, between 1 and ``k - 1``, drawn uniformly.

    For items that are one or a few tokens per modality, and so that an encoder gets to know items with a modality
    missing. Items with fewer than two modalities keep what they have.

    Args:
        present: which modalities each item has, ``[n, M]`` bool.
        generator: the source of randomness (CPU).

    Returns:
        ``[n, M]`` bool, the hidden ones.

    Example:
        >>> mask_modalities(torch.tensor([[True, True], [True, False]]), torch.Generator().manual_seed(0)).sum(dim=1)
        tensor([1, 0])
    """
    owned = present.sum(dim=1)
    draw = torch.rand(len(present), generator=generator).to(present.device)
    count = torch.where(owned > 1, 1 + (draw * (owned - 1)).floor().long(), 0)
    order = torch.rand(present.shape, generator=generator).to(present.device).masked_fill_(~present, 2.0)
    return order.argsort(dim=1).argsort(dim=1) < count[:, None]


def _between(cells: Tensor, start: Tensor, length: Tensor) -> Tensor:
    first = start[:, None, None]
    return (cells >= first) & (cells < first + length[:, None, None])


def _check_ratio(ratio: float) -> None:
    if not 0.0 < ratio < 1.0:
        raise InputError(f"the share to mask must be between 0 and 1 (got {ratio})")
