"""Reading, checking, splitting and storing interactions and item content."""

from alignrec_geo.dataset.catalogue import make_catalogue
from alignrec_geo.dataset.features import Features
from alignrec_geo.dataset.interactions import Interactions, Split
from alignrec_geo.dataset.splits import SplitConfig, make_split
from alignrec_geo.dataset.store import Dataset

__all__ = ["Dataset", "Features", "Interactions", "Split", "SplitConfig", "make_catalogue", "make_split"]
