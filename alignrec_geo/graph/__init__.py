"""The user-item graph: PyG's ``HeteroData`` in and out, normalised adjacency, content neighbours."""

from typing import TYPE_CHECKING

from alignrec_geo.lazy import lazy_names

if TYPE_CHECKING:
    from alignrec_geo.graph.hetero import to_hetero

__all__ = ["to_hetero"]

__getattr__, __dir__ = lazy_names(__name__, {"to_hetero": "hetero"})
