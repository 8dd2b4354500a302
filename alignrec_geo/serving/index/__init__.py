"""An inverted-file index of item vectors, for catalogues that are too large to score in whole for every request."""

from alignrec_geo.serving.index.build import build_index
from alignrec_geo.serving.index.chosen import chosen_ranking
from alignrec_geo.serving.index.ranking import IndexRanking
from alignrec_geo.serving.index.search import ItemIndex
from alignrec_geo.serving.index.store import INDEX, Facts, Indexes, open_indexes, save_indexes

__all__ = [
    "INDEX",
    "Facts",
    "IndexRanking",
    "Indexes",
    "ItemIndex",
    "build_index",
    "chosen_ranking",
    "open_indexes",
    "save_indexes",
]
