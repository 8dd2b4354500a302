"""Recommendations from two tables and a data set's ids; no model is needed."""

from alignrec_geo.serving.recommend import Recommendation, TopItems
from alignrec_geo.serving.store import load_top_items, save_embeddings

__all__ = ["Recommendation", "TopItems", "load_top_items", "save_embeddings"]
