"""Frozen encoders of images and texts: from pinned PyPI packages, or from a local ``transformers`` folder."""

from alignrec_geo.content.encoders.base import ImageEncoder, PatchMap, TextEncoder, TokenStates
from alignrec_geo.content.encoders.choose import PACKAGE, open_image_encoder, open_text_encoder

__all__ = [
    "PACKAGE",
    "ImageEncoder",
    "PatchMap",
    "TextEncoder",
    "TokenStates",
    "open_image_encoder",
    "open_text_encoder",
]
