"""From what the user names to an encoder: the pinned package, or a local folder."""

from pathlib import Path

import torch

from alignrec_geo.content.encoders.base import ImageEncoder, TextEncoder
from alignrec_geo.content.encoders.folder import check_folder
from alignrec_geo.content.encoders.packages import MINILM
from alignrec_geo.errors import InputError

PACKAGE = "package"
"""The word that means the default package."""


def open_text_encoder(source: str = PACKAGE, device: torch.device | None = None) -> TextEncoder:
    """Open a text encoder.

    Args:
        source: ``package`` for all-MiniLM-L6-v2 from PyPI, else a local ``transformers`` folder.
        device: where to run; the CPU if not given.

    Raises:
        InputError: the package is missing or not the pinned one, or the folder cannot be used.
    """
    from alignrec_geo.content.encoders.text import TransformerTextEncoder

    if source == PACKAGE:
        return TransformerTextEncoder(MINILM.locate().parent, MINILM.label, device)
    return TransformerTextEncoder(_folder(source), None, device)


def open_image_encoder(source: str = PACKAGE, device: torch.device | None = None) -> ImageEncoder:
    """Open an image encoder.

    Args:
        source: ``package`` for EfficientNet-Lite0 from PyPI, else a local ``transformers`` folder.
        device: where to run; the CPU if not given.

    Raises:
        InputError: a package is missing or not the pinned one, or the folder cannot be used.
    """
    from alignrec_geo.content.encoders.lite0 import Lite0ImageEncoder
    from alignrec_geo.content.encoders.vision import TransformerImageEncoder

    if source == PACKAGE:
        return Lite0ImageEncoder(device)
    return TransformerImageEncoder(_folder(source), device)


def _folder(source: str) -> Path:
    folder = Path(source)
    if not folder.is_dir():
        raise InputError(
            f"an encoder is '{PACKAGE}' or a local transformers folder (got '{source}'); there is no such folder"
        )
    return check_folder(folder)
