"""AlignRec on PyTorch Geometric: multimodal recommendation on a user-item graph.

Example:
    >>> from alignrec_geo import AlignRec, Dataset, fit
    >>> data = Dataset.open("data/tiktok")  # doctest: +SKIP
    >>> model = AlignRec.from_dataset(data, features=["image", "audio"])  # doctest: +SKIP
    >>> fit(model)  # doctest: +SKIP
    >>> model.recommend(["42"])  # doctest: +SKIP
    >>> model.save("runs/tiktok")  # doctest: +SKIP
"""

from typing import TYPE_CHECKING

from alignrec_geo.lazy import lazy_names

if TYPE_CHECKING:
    from alignrec_geo.dataset import Dataset, Features, SplitConfig, make_catalogue
    from alignrec_geo.errors import InputError
    from alignrec_geo.evaluation import Evaluator
    from alignrec_geo.explaining import explain
    from alignrec_geo.graph import to_hetero
    from alignrec_geo.models import AlignRec, Recommender, load
    from alignrec_geo.serving import load_top_items
    from alignrec_geo.training import TrainingConfig, fit

__version__ = "0.1.0"

_HOME = {
    "AlignRec": "models",
    "Dataset": "dataset",
    "Evaluator": "evaluation",
    "Features": "dataset",
    "InputError": "errors",
    "Recommender": "models",
    "SplitConfig": "dataset",
    "TrainingConfig": "training",
    "explain": "explaining",
    "fit": "training",
    "load": "models",
    "load_top_items": "serving",
    "make_catalogue": "dataset",
    "to_hetero": "graph",
}

__all__ = [
    "AlignRec",
    "Dataset",
    "Evaluator",
    "Features",
    "InputError",
    "Recommender",
    "SplitConfig",
    "TrainingConfig",
    "explain",
    "fit",
    "load",
    "load_top_items",
    "make_catalogue",
    "to_hetero",
]


_PACKAGES = (
    "comparison",
    "content",
    "dataset",
    "distributed",
    "evaluation",
    "explaining",
    "exporting",
    "graph",
    "kernels",
    "models",
    "nn",
    "probing",
    "reporting",
    "service",
    "serving",
    "testing",
    "training",
)

__getattr__, __dir__ = lazy_names(__name__, {**_HOME, **dict.fromkeys(_PACKAGES, "")})
