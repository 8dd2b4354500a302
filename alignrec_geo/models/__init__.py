"""The models, by the name the command line uses."""

import warnings
from importlib.metadata import entry_points
from typing import Any

from alignrec_geo.errors import InputError
from alignrec_geo.models.alignrec import AlignRec
from alignrec_geo.models.alignrec_config import AlignRecConfig
from alignrec_geo.models.base import Batch, ModelConfig, Recommender
from alignrec_geo.models.bm3 import BM3, BM3Config
from alignrec_geo.models.bpr import BPRMF, BPRMFConfig
from alignrec_geo.models.content_knn import ContentKNN, ContentKNNConfig
from alignrec_geo.models.dualgnn import DualGNN, DualGNNConfig
from alignrec_geo.models.freedom import FREEDOM, FREEDOMConfig
from alignrec_geo.models.grcn import GRCN, GRCNConfig
from alignrec_geo.models.lattice import LATTICE, LATTICEConfig
from alignrec_geo.models.lightgcn import LightGCN, LightGCNConfig
from alignrec_geo.models.mgcn import MGCN, MGCNConfig
from alignrec_geo.models.mmgcn import MMGCN, MMGCNConfig
from alignrec_geo.models.popularity import Popularity
from alignrec_geo.models.random_scores import RandomScores, RandomScoresConfig
from alignrec_geo.models.slmrec import SLMRec, SLMRecConfig
from alignrec_geo.models.stored import load
from alignrec_geo.models.vbpr import VBPR, VBPRConfig

MODELS: dict[str, type[Recommender]] = {
    "alignrec": AlignRec,
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
    if name in MODELS:
        return MODELS[name]
    offered = {entry.name: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}
    if name not in offered:
        raise InputError(f"unknown model (got '{name}'); there are: {', '.join(sorted([*MODELS, *offered]))}")
    model = offered[name].load()
    if not (isinstance(model, type) and issubclass(model, Recommender)):
        raise InputError(f"model '{name}' of {offered[name].value} is not a Recommender")
    return model


def model_name(model: type[Recommender]) -> str:
    """The name :func:`find_model` knows a class by; its module path for one it does not know."""
    names = {kind: name for name, kind in MODELS.items()}
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        if entry.value == f"{model.__module__}:{model.__qualname__}":
            return entry.name
    return names.get(model, f"{model.__module__}:{model.__qualname__}")


def __getattr__(name: str) -> Any:
    """Former names: ``BPR`` is the loss only (:mod:`alignrec_geo.nn.losses`), the model is :class:`BPRMF`."""
    former = {"BPR": BPRMF, "BPRConfig": BPRMFConfig}
    if name not in former:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(f"{name} is called {former[name].__name__} now", DeprecationWarning, stacklevel=2)
    return former[name]


__all__ = [
    "BM3",
    "BPRMF",
    "FREEDOM",
    "GRCN",
    "LATTICE",
    "MGCN",
    "MMGCN",
    "MODELS",
    "VBPR",
    "AlignRec",
    "AlignRecConfig",
    "BM3Config",
    "BPRMFConfig",
    "Batch",
    "ContentKNN",
    "ContentKNNConfig",
    "DualGNN",
    "DualGNNConfig",
    "FREEDOMConfig",
    "GRCNConfig",
    "LATTICEConfig",
    "LightGCN",
    "LightGCNConfig",
    "MGCNConfig",
    "MMGCNConfig",
    "ModelConfig",
    "Popularity",
    "RandomScores",
    "RandomScoresConfig",
    "Recommender",
    "SLMRec",
    "SLMRecConfig",
    "VBPRConfig",
    "find_model",
    "load",
    "model_name",
]
