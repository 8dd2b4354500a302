"""Public BEiT-3 checkpoints, and folders of ``save_pretrained``, read strictly."""

import copy
import logging
import math
import pickle
import warnings
import zipfile
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from alignrec_geo.content.beit3.config import Beit3Config
from alignrec_geo.content.beit3.heads import Beit3ForPreTraining
from alignrec_geo.content.beit3.model import UNUSED_POSITIONS, Beit3Model
from alignrec_geo.content.encoders.folder import check_folder, read_settings
from alignrec_geo.errors import InputError
from alignrec_geo.reading import check_plain_file, reading

logger = logging.getLogger(__name__)

Beit3 = TypeVar("Beit3", Beit3Model, Beit3ForPreTraining)

CHECKPOINT = "checkpoint of tensors"

ENCODER = "beit3."
"""What the names of the encoder's weights begin with; all others belong to heads."""

_HEADS = frozenset({"mlm_head.weight", "mlm_head.bias", "mim_head.weight", "mim_head.bias"})
_POSITIONS = "beit3.encoder.embed_positions.A.weight"
_FINAL_NORM = "beit3.encoder.layer_norm."
_BEFORE_PATCHES = UNUSED_POSITIONS + 1  # the unused rows, and CLS


def load_beit3(kind: type[Beit3], path: Path, config: Beit3Config | None = None) -> Beit3:
    """Load a model from a public checkpoint (a file) or from a folder that ``save_pretrained`` wrote.

    Every weight must be there with the right shape, and no other. What may differ is logged, in the words of
    :func:`fit_state`.

    Args:
        kind: :class:`~alignrec_geo.content.beit3.model.Beit3Model`, or
            :class:`~alignrec_geo.content.beit3.heads.Beit3ForPreTraining`, which needs both heads.
        path: the file or folder.
        config: the model's shape, for a file; ``None`` is the public base size. A folder has its own.

    Raises:
        InputError: no such file, not a checkpoint, truncated, or not of this shape; the message names the first missing
            and the first unexpected weight.

    Example:
        >>> from pathlib import Path
        >>> model = load_beit3(Beit3Model, Path("beit3_base_patch16_224.pth"))  # doctest: +SKIP
    """
    if path.is_dir():
        return _load_folder(kind, path)
    state = read_public_checkpoint(path)
    try:
        with reading(path, CHECKPOINT):
            state, config, notes = fit_state(state, config or Beit3Config(), heads=kind is Beit3ForPreTraining)
    except InputError as error:
        raise InputError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None
    for note in notes:
        logger.warning("%s: %s", path, note)
    with torch.device("meta"):
        model = kind(config)
    if isinstance(model, Beit3Model):
        state = {name.removeprefix(ENCODER): values for name, values in state.items()}
    model.load_state_dict(state, assign=True)
    model.eval()  # type: ignore[no-untyped-call]
    return model


def read_public_checkpoint(path: Path) -> dict[str, Tensor]:
    """Return the weights of a public checkpoint, ``checkpoint["model"]``, in float32; nothing in the file is executed.

    Raises:
        InputError: the file is missing, truncated, or something else.
    """
    check_plain_file(path, CHECKPOINT)
    with reading(path, CHECKPOINT):
        try:
            # fine-tuned checkpoints keep their command line in one; what torch says of old pickles is nobody's concern
            with torch.serialization.safe_globals([Namespace]), warnings.catch_warnings(action="ignore"):
                stored = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
        except pickle.UnpicklingError:  # whose message tells how to run what is in the file
            raise InputError(f"{path}: not a {CHECKPOINT}, or it holds other things too; they are not loaded") from None
        state = stored.get("model") if isinstance(stored, dict) else None
        if not isinstance(state, dict) or not all(_dense(values) for values in state.values()):
            raise InputError(f"{path}: not a BEiT-3 checkpoint: no dictionary of tensors under 'model'")
        return {str(name): values.float() for name, values in state.items()}


def _dense(values: object) -> bool:
    return isinstance(values, Tensor) and values.layout == torch.strided and values.is_floating_point()


def fit_state(
    state: Mapping[str, Tensor], config: Beit3Config, heads: bool
) -> tuple[dict[str, Tensor], Beit3Config, list[str]]:
    """Bring weights in the public layout to a model's shape.

    Three things may differ, and each leaves a note: positions of another image size are interpolated; without a
    final norm (fine-tuned checkpoints) the model gets none either; and if no heads are wanted, weights outside
    ``beit3.`` are left out.

    Args:
        state: weights by their public names.
        config: the model's shape.
        heads: both heads are wanted too.

    Returns:
        The weights, the configuration (with ``final_norm`` as found) and the notes.

    Raises:
        InputError: a weight is missing, unexpected, or of another shape.
    """
    notes, fitted = [], dict(state)
    if not heads:
        outside = [name for name in fitted if not name.startswith(ENCODER)]
        fitted = {name: values for name, values in fitted.items() if name.startswith(ENCODER)}
        if outside:
            notes.append(f"{len(outside)} weights of heads are left out ({', '.join(outside)})")
    if fitted and config.final_norm and not any(name.startswith(_FINAL_NORM) for name in fitted):
        config = copy.deepcopy(config)
        config.final_norm = False
        notes.append("no encoder.layer_norm: the last hidden states are not normalised (a fine-tuned checkpoint)")
    with torch.device("meta"):
        expected = Beit3ForPreTraining(config).state_dict()
    if not heads:
        expected = {name: values for name, values in expected.items() if name.startswith(ENCODER)}
    _check_names(list(expected), list(fitted))
    table = fitted[_POSITIONS]
    if table.shape[1:] == expected[_POSITIONS].shape[1:] and len(table) != len(expected[_POSITIONS]):
        fitted[_POSITIONS] = interpolate_positions(table, config.grid)
        notes.append(f"positions of {len(table) - _BEFORE_PATCHES} patches are interpolated to {config.patches}")
    for name, values in expected.items():
        if fitted[name].shape != values.shape:
            raise InputError(
                f"'{name}' is {tuple(fitted[name].shape)} in the file and {tuple(values.shape)} in the model"
            )
    return fitted, config, notes


def interpolate_positions(table: Tensor, grid: int) -> Tensor:
    """Bring the vision positions of one image size to another, bicubically.

    Args:
        table: ``[3 + P, D]``: two unused rows, CLS, then the patches row by row; P is a square.
        grid: patches along a side of the new images.

    Returns:
        ``[3 + grid², D]``; the first three rows are kept.

    Raises:
        InputError: P is not a square.
    """
    kept, patches = table[:_BEFORE_PATCHES], table[_BEFORE_PATCHES:]
    side = math.isqrt(len(patches))
    if side == 0 or side * side != len(patches):
        raise InputError(f"'{_POSITIONS}' must have 3 + a square number of rows (got {len(table)})")
    square = patches.T.reshape(1, -1, side, side)
    resized = F.interpolate(square, size=(grid, grid), mode="bicubic", align_corners=False)
    return torch.cat([kept, resized.flatten(2)[0].T])


def _check_names(expected: list[str], found: list[str]) -> None:
    wanted, given = set(expected), set(found)
    missing = next((name for name in expected if name not in given), None)
    unexpected = next((name for name in found if name not in wanted), None)
    parts = []
    if missing is not None:
        parts.append(f"{len(wanted - given)} weights are missing, the first is '{missing}'")
    if unexpected is not None:
        parts.append(f"{len(given - wanted)} are unexpected, the first is '{unexpected}'")
    if parts:
        raise InputError(f"not this BEiT-3 model: {'; '.join(parts)}")


def _load_folder(kind: type[Beit3], path: Path) -> Beit3:
    check_folder(path)
    found = read_settings(path / "config.json").get("model_type")
    if found != Beit3Config.model_type:
        raise InputError(f"{path}: must be a folder of a beit3 model (got '{found}')")
    with reading(path, "folder of save_pretrained"):
        loaded: Any = kind.from_pretrained(path, local_files_only=True, use_safetensors=True, output_loading_info=True)
    model: Beit3
    model, report = loaded
    _check_folder(path, report, _HEADS if kind is Beit3Model else frozenset())
    return model


def _check_folder(path: Path, report: Mapping[str, Any], allowed: frozenset[str]) -> None:
    missing, unexpected = sorted(report["missing_keys"]), sorted(set(report["unexpected_keys"]) - allowed)
    if missing or unexpected:
        first = f"missing '{missing[0]}'" if missing else f"unexpected '{unexpected[0]}'"
        raise InputError(f"{path}: does not hold this model ({first})")
