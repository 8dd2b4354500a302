"""Open the encoder that made a feature matrix of a data set."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from alignrec_geo.content.encoders import PACKAGE
from alignrec_geo.content.feature_sets.whiten import KIND
from alignrec_geo.content.item_encoder import EXTRACTED, PRETRAINED, WHITENED, ItemEncoder, NewItem
from alignrec_geo.content.item_encoding.raw_encoders import open_raw_encoder
from alignrec_geo.content.item_encoding.whitened import WhitenedItemEncoder
from alignrec_geo.content.pretraining.encoder_folder import CONFIG, MODEL
from alignrec_geo.content.pretraining.former import up_to_date
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.files import read_json, sha256_of
from alignrec_geo.folders import check_links
from alignrec_geo.nn.whitening import Whitening
from alignrec_geo.reading import reading
from alignrec_geo.staging import recover
from alignrec_geo.tensors import read_tensors

Opener = Callable[[Path, dict[str, Any], dict[str, Tensor], torch.device], ItemEncoder]
"""From the folder, ``config.json``, the stored tensors and the device to an encoder."""


def open_item_encoder(
    dataset: Dataset, feature: str, source: str | None = None, device: torch.device | None = None
) -> ItemEncoder:
    """Open the encoder that made a stored feature matrix; the matrix says in its ``meta`` which one that was.

    Args:
        dataset: as stored.
        feature: name of the matrix.
        source: where the frozen encoder of ``features extract`` is: ``package`` (the default) or a local
            ``transformers`` folder. What ``pretrain`` left knows its encoders itself.
        device: where to run; the CPU if not given.

    Raises:
        InputError: there is no such matrix, it was made by no encoder of this program (an imported matrix), or the
            encoder is missing or another one.
    """
    features = dataset.features(feature)
    made_by = features.meta.get("made by")
    if made_by == EXTRACTED:
        return open_raw_encoder(feature, features.meta, source or PACKAGE, device)
    if made_by == PRETRAINED:
        return open_pretrained(dataset, feature, device)
    if made_by == WHITENED:
        return open_whitened(dataset, feature, source, device)
    raise InputError(
        f"features '{feature}' of data set '{dataset.name}' were not made by an encoder of this program; new items "
        f'must bring their own vectors: "features": {{"{feature}": [{features.width} numbers]}}'
    )


def open_pretrained(dataset: Dataset, feature: str, device: torch.device | None = None) -> ItemEncoder:
    """Open the encoder that made the features ``feature`` of a data set.

    Args:
        dataset: as stored; the encoder is in its folder ``encoders/FEATURE``.
        feature: name of the features.
        device: where to run; the CPU if not given.

    Raises:
        InputError: the folder is missing, incomplete, or not an encoder of this program.
    """
    folder, config, tensors = _stored(dataset, feature)
    kind = config.get("kind")
    opener = _openers().get(kind) if isinstance(kind, str) else None
    if opener is None:
        raise InputError(f"{folder / CONFIG}: unknown kind of encoder (got {kind!r}); known: {', '.join(_openers())}")
    with reading(folder, f"encoder: {CONFIG} and {MODEL} do not fit each other"):
        encoder = opener(folder, config, tensors, device or torch.device("cpu"))
        encoder.encode([NewItem("an item", text="a text")])  # what does not fit is found now, not after hours
    return encoder


def open_whitened(
    dataset: Dataset, feature: str, source: str | None = None, device: torch.device | None = None
) -> ItemEncoder:
    """Open what ``features whiten`` left: the encoder of the matrix that was whitened, and the transform.

    Args:
        dataset: as stored; the transform is in its folder ``encoders/FEATURE``.
        feature: name of the whitened features.
        source: see :func:`open_item_encoder`.
        device: where the encoder runs; the CPU if not given.

    Raises:
        InputError: the folder is missing, incomplete or damaged, or the encoder is missing or another one.
    """
    folder, config, tensors = _stored(dataset, feature)
    with reading(folder, f"transform: {CONFIG} and {MODEL} do not fit each other"):
        task, whitening = config["task"], Whitening.of(tensors)
        of, meta, sha256 = str(task["from"]), dict(task["meta"]), task["encoder_sha256"]
        if config["kind"] != KIND or whitening is None or whitening.matrix.shape != (task["width"], task["width"]):
            raise InputError(f"{folder}: not the transform of whitened features")
    inner: ItemEncoder | None = None
    if meta.get("made by") == EXTRACTED:
        inner = open_raw_encoder(of, meta, source or PACKAGE, device)
    elif meta.get("made by") == PRETRAINED:
        model = dataset.encoder_folder(of) / MODEL
        if not model.exists() or sha256_of(model) != sha256:
            raise InputError(
                f"{model}: not the encoder whose vectors were whitened as '{feature}'; whiten features '{of}' again"
            )
        inner = open_pretrained(dataset, of, device)
    return WhitenedItemEncoder(of, inner, whitening)


def brought_widths(dataset: Dataset, features: Sequence[str]) -> dict[str, int]:
    """Width of every matrix that a new item may bring a row of, by name.

    These are the features themselves, the imported matrices that ``pretrain`` aligned to some of them, and those that
    were whitened.

    Args:
        dataset: as stored.
        features: names of the features that the rows are wanted for.
    """
    widths: dict[str, int] = {}
    for name in features:
        made_by = dataset.features(name).meta.get("made by")
        config = read_json(dataset.encoder_folder(name) / CONFIG) if made_by in (PRETRAINED, WHITENED) else {}
        with reading(dataset.encoder_folder(name) / CONFIG, "configuration of an encoder"):
            task = config.get("task", {})
            widths |= {task["from"]: int(task["width"])} if made_by == WHITENED else {}
            widths |= dict(zip(task["modalities"], task["widths"], strict=True)) if "widths" in task else {}
    return widths | {name: dataset.features(name).width for name in features}


def _stored(dataset: Dataset, feature: str) -> tuple[Path, dict[str, Any], dict[str, Tensor]]:
    """The folder of an encoder, its ``config.json`` and its tensors, all finite."""
    folder = dataset.encoder_folder(feature)
    recover(folder)
    if folder.is_dir():
        check_links(folder)
    if not (folder / MODEL).exists():
        raise InputError(f"{folder}: no encoder there; features '{feature}' came without it, or making it was cut off")
    stored = read_json(folder / CONFIG)
    tensors, _ = read_tensors(folder / MODEL)
    for name, part in tensors.items():
        if part.is_floating_point() and not part.float().isfinite().all():
            raise InputError(f"{folder / MODEL}: damaged: the weights '{name}' hold NaN or infinity")
    return folder, up_to_date(stored) if isinstance(stored, dict) else {}, tensors


def _openers() -> dict[str, Opener]:
    from alignrec_geo.content.beit3.item_encoder import open_beit3_encoder
    from alignrec_geo.content.frozen.item_encoder import open_frozen_encoder
    from alignrec_geo.content.matrices.item_encoder import open_features_encoder

    return {
        "frozen": open_frozen_encoder,
        "features": open_features_encoder,
        "beit3-tiny": open_beit3_encoder,
        "beit3-base": open_beit3_encoder,
    }
