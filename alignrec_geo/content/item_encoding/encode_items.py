"""New items as rows of a data set's feature matrices, a batch of images and texts at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch

from alignrec_geo.content.item_encoder import ItemEncoder, NewItem, has_encoder
from alignrec_geo.content.item_encoding.open import open_item_encoder
from alignrec_geo.content.progress import Progress
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.graph.modalities import Modality
from alignrec_geo.image_files import read_rgb
from alignrec_geo.memory import enough_memory


def encode_items(
    dataset: Dataset,
    features: Sequence[str],
    items: Sequence[NewItem],
    sources: Mapping[str, str] | None = None,
    batch_size: int = 32,
    device: torch.device | None = None,
    report: Callable[[str], Progress] | None = None,
) -> tuple[list[Modality], dict[str, str]]:
    """Encode items with the encoders that made the stored matrices.

    An item that brings its own row of a matrix keeps it. If no item needs an encoder, none is opened.

    Args:
        dataset: as stored.
        features: names of its matrices.
        items: see :func:`~alignrec_geo.content.item_encoding.new_items.read_new_items`.
        sources: folders of frozen encoders by feature (see :func:`open_item_encoder`).
        batch_size: items at a time; no more images are in memory.
        device: where to encode; the CPU if not given.
        report: makes a progress callback from a label.

    Returns:
        Per feature the rows ``[n, D]`` and which items have one; and why an image could not be read, by item id.

    Raises:
        InputError: an encoder is missing or another one, or a matrix has none and no item brings a row of it.
    """
    encoders = {name: _encoder(dataset, name, items, (sources or {}).get(name), device) for name in features}
    images = any(encoder is not None and "image" in encoder.modalities for encoder in encoders.values())
    items, broken = _readable(items) if images else (items, {})
    parts = []
    for name, encoder in encoders.items():
        progress = None if report is None or encoder is None else report(f"features '{name}'")
        parts.append(_rows(name, dataset.features(name).width, encoder, items, batch_size, progress))
    return parts, broken


def _encoder(
    dataset: Dataset, name: str, items: Sequence[NewItem], source: str | None, device: torch.device | None
) -> ItemEncoder | None:
    """The encoder of a matrix, if any item needs it and there is one."""
    bringing = sum(name in item.vectors for item in items)
    if bringing == len(items) or (bringing and not has_encoder(dataset.features(name))):
        return None
    return open_item_encoder(dataset, name, source, device)


def _rows(
    name: str,
    width: int,
    encoder: ItemEncoder | None,
    items: Sequence[NewItem],
    batch_size: int,
    progress: Progress | None,
) -> Modality:
    x, present = torch.zeros(len(items), width), torch.zeros(len(items), dtype=torch.bool)
    for row, item in enumerate(items):
        if name in item.vectors:
            x[row], present[row] = torch.from_numpy(item.vectors[name]), True
    missing = torch.nonzero(~present)[:, 0].tolist() if encoder is not None else []
    for start in range(0, len(missing), batch_size):
        rows = missing[start : start + batch_size]
        assert encoder is not None
        with enough_memory(f"features '{name}'", lower="batch_size"):
            x[rows], present[rows] = encoder.encode([items[row] for row in rows])
        if not x[rows].isfinite().all():
            raise InputError(f"features '{name}': their encoder gives vectors with NaN or infinity; it is damaged")
        if progress is not None:
            progress(start + len(rows), len(missing))
    return Modality(name, x, present)


def _readable(items: Sequence[NewItem]) -> tuple[list[NewItem], dict[str, str]]:
    """The items without the images that cannot be read, and why; one image is in memory at a time."""
    kept, broken = [], {}
    for item in items:
        why = None
        if item.image is not None:
            image = read_rgb(item.image)
            why = image if isinstance(image, str) else None
        if why is not None:
            broken[item.id] = why
        kept.append(item if why is None else replace(item, image=None))
    return kept, broken
