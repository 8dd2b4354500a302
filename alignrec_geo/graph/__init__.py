"""The user-item graph: PyG's ``HeteroData`` in and out, normalised adjacency, content neighbours."""

from alignrec_geo.graph.hetero import to_hetero

__all__ = ["to_hetero"]
