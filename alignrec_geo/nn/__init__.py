"""Layers and losses."""

from alignrec_geo.nn.light_conv import LightConv

__all__ = ["LightConv"]
