"""Layers, initial values, penalties."""

from alignrec_geo.nn.dropout import Dropout
from alignrec_geo.nn.init import init_linear, init_xavier, linear
from alignrec_geo.nn.light_conv import LightConv
from alignrec_geo.nn.modality_encoder import ModalityEncoder
from alignrec_geo.nn.penalties import norm_penalty, square_penalty

__all__ = [
    "Dropout",
    "LightConv",
    "ModalityEncoder",
    "init_linear",
    "init_xavier",
    "linear",
    "norm_penalty",
    "square_penalty",
]
