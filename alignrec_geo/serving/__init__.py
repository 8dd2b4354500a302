"""Recommendations from two tables and a data set's ids; no model is needed."""

from alignrec_geo.serving.cold import ColdItems, NeighbourMean
from alignrec_geo.serving.cold_store import load_cold_items, save_cold_items
from alignrec_geo.serving.frame_stream import FrameStream
from alignrec_geo.serving.recommend import TopItems
from alignrec_geo.serving.results import Recommendation, Recommendations, SimilarItems
from alignrec_geo.serving.store import load_top_items, save_embeddings

__all__ = [
    "ColdItems",
    "FrameStream",
    "NeighbourMean",
    "Recommendation",
    "Recommendations",
    "SimilarItems",
    "TopItems",
    "load_cold_items",
    "load_top_items",
    "save_cold_items",
    "save_embeddings",
]
