"""The models, by the name the command line uses."""

from importlib.metadata import entry_points

from alignrec_geo.models.alignrec import AlignRec
from alignrec_geo.models.alignrec_plus import AlignRecPlus
from alignrec_geo.models.base import Recommender
from alignrec_geo.models.bm3 import BM3
from alignrec_geo.models.bpr import BPRMF
from alignrec_geo.models.content_knn import ContentKNN
from alignrec_geo.models.dualgnn import DualGNN
from alignrec_geo.models.freedom import FREEDOM
from alignrec_geo.models.grcn import GRCN
from alignrec_geo.models.lattice import LATTICE
from alignrec_geo.models.lightgcn import LightGCN
from alignrec_geo.models.mgcn import MGCN
from alignrec_geo.models.mmgcn import MMGCN
from alignrec_geo.models.popularity import Popularity
from alignrec_geo.models.random_scores import RandomScores
from alignrec_geo.models.slmrec import SLMRec
from alignrec_geo.models.vbpr import VBPR
from alignrec_geo.plugins import find_by_name

MODELS: dict[str, type[Recommender]] = {
    "alignrec": AlignRec,
    "alignrec-plus": AlignRecPlus,
    "bm3": BM3,
    "bpr": BPRMF,
    "content-knn": ContentKNN,
    "dualgnn": DualGNN,
    "freedom": FREEDOM,
    "grcn": GRCN,
    "lattice": LATTICE,
    "lightgcn": LightGCN,
    "mgcn": MGCN,
    "mmgcn": MMGCN,
    "popularity": Popularity,
    "random": RandomScores,
    "slmrec": SLMRec,
    "vbpr": VBPR,
}
"""Models of this package; others join through the entry-point group ``alignrec_geo.models``."""

ENTRY_POINT_GROUP = "alignrec_geo.models"


def find_model(name: str) -> type[Recommender]:
    """Return the model class called ``name``: one of :data:`MODELS`, or one that an installed package offers.

    Raises:
        InputError: there is none, or what a package offers under that name is no :class:`Recommender`.
    """
    return find_by_name(name, MODELS, ENTRY_POINT_GROUP, "model", _problem)


def model_name(model: type[Recommender]) -> str:
    """The name :func:`find_model` knows a class by; its module path for one it does not know."""
    names = {kind: name for name, kind in MODELS.items()}
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        if entry.value == f"{model.__module__}:{model.__qualname__}":
            return entry.name
    return names.get(model, f"{model.__module__}:{model.__qualname__}")


def _problem(offered: object) -> str | None:
    return None if isinstance(offered, type) and issubclass(offered, Recommender) else "is not a Recommender"
