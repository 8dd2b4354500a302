"""Layers and losses."""

from alignrec_geo.nn.embeddings import Embeddings
from alignrec_geo.nn.light_conv import LightConv

__all__ = ["Embeddings", "LightConv"]
