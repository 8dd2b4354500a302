"""Open an encoder that was pre-trained on a data set."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from alignrec_geo.content.align import CONFIG, MODEL
from alignrec_geo.content.item_encoder import ItemEncoder, NewItem
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.files import read_json
from alignrec_geo.folders import check_links
from alignrec_geo.reading import reading
from alignrec_geo.staging import recover
from alignrec_geo.tensors import read_tensors

Opener = Callable[[Path, dict[str, Any], dict[str, Tensor], torch.device], ItemEncoder]
"""From the folder, ``config.json``, the stored tensors and the device to an encoder."""


def open_pretrained(dataset: Dataset, feature: str, device: torch.device | None = None) -> ItemEncoder:
    """Open the encoder that made the features ``feature`` of a data set.

    Args:
        dataset: as stored; the encoder is in its folder ``encoders/FEATURE``.
        feature: name of the features.
        device: where to run; the CPU if not given.

    Raises:
        InputError: the folder is missing, incomplete, or not an encoder of this program.
    """
    folder = dataset.encoder_folder(feature)
    recover(folder)
    if folder.is_dir():
        check_links(folder)
    if not (folder / MODEL).exists():
        raise InputError(f"{folder}: no encoder there; features '{feature}' came without it, or 'pretrain' was cut off")
    config = read_json(folder / CONFIG)
    kind = config.get("kind") if isinstance(config, dict) else None
    opener = _openers().get(kind) if isinstance(kind, str) else None
    if opener is None:
        raise InputError(f"{folder / CONFIG}: unknown kind of encoder (got {kind!r}); known: {', '.join(_openers())}")
    tensors, _ = read_tensors(folder / MODEL)
    for name, part in tensors.items():
        if part.is_floating_point() and not part.float().isfinite().all():
            raise InputError(f"{folder / MODEL}: damaged: the weights '{name}' hold NaN or infinity")
    with reading(folder, f"encoder: {CONFIG} and {MODEL} do not fit each other"):
        encoder = opener(folder, config, tensors, device or torch.device("cpu"))
        encoder.encode([NewItem("an item", text="a text")])  # what does not fit is found now, not after hours
    return encoder


def _openers() -> dict[str, Opener]:
    from alignrec_geo.content.beit3_encoder import open_beit3_encoder
    from alignrec_geo.content.features_encoder import open_features_encoder
    from alignrec_geo.content.package_encoder import open_package_encoder

    return {
        "package": open_package_encoder,
        "features": open_features_encoder,
        "beit3-tiny": open_beit3_encoder,
        "beit3-base": open_beit3_encoder,
    }
