"""Recommendations from two tables and a data set's ids; no model is needed."""

from typing import TYPE_CHECKING

from alignrec_geo.lazy import lazy_names

if TYPE_CHECKING:
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

_HOME = {
    "ColdItems": "cold",
    "FrameStream": "frame_stream",
    "NeighbourMean": "cold",
    "Recommendation": "results",
    "Recommendations": "results",
    "SimilarItems": "results",
    "TopItems": "recommend",
    "load_cold_items": "cold_store",
    "load_top_items": "store",
    "save_cold_items": "cold_store",
    "save_embeddings": "store",
}

__getattr__, __dir__ = lazy_names(__name__, _HOME)
