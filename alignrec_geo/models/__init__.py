"""The models, and the contract that each of them keeps."""

import warnings
from typing import Any

from alignrec_geo.models.alignrec import AlignRec
from alignrec_geo.models.alignrec_config import AlignRecConfig
from alignrec_geo.models.alignrec_plus import AlignRecPlus
from alignrec_geo.models.alignrec_plus_config import AlignRecPlusConfig
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
from alignrec_geo.models.registry import ENTRY_POINT_GROUP, MODELS, find_model, model_name
from alignrec_geo.models.slmrec import SLMRec, SLMRecConfig
from alignrec_geo.models.stored import load
from alignrec_geo.models.vbpr import VBPR, VBPRConfig


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
    "ENTRY_POINT_GROUP",
    "FREEDOM",
    "GRCN",
    "LATTICE",
    "MGCN",
    "MMGCN",
    "MODELS",
    "VBPR",
    "AlignRec",
    "AlignRecConfig",
    "AlignRecPlus",
    "AlignRecPlusConfig",
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
