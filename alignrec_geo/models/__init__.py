"""The models, by the name the command line uses."""

from importlib.metadata import entry_points

from alignrec_geo.errors import InputError
from alignrec_geo.models.alignrec import AlignRec, AlignRecConfig
from alignrec_geo.models.base import Batch, ModelConfig, Recommender
from alignrec_geo.models.popularity import Popularity

MODELS: dict[str, type[Recommender]] = {"alignrec": AlignRec, "popularity": Popularity}
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


__all__ = [
    "MODELS",
    "AlignRec",
    "AlignRecConfig",
    "Batch",
    "ModelConfig",
    "Popularity",
    "Recommender",
    "find_model",
    "model_name",
]
