"""Parts of the libraries that a process of ours loads only when it touches them."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType

DEFERRED = frozenset({"torch._dynamo", "torch_geometric.datasets"})
"""``import torch_geometric`` loads both, four of its six seconds: the compiler, and through a data set of PyG's the
whole of ``transformers`` and pandas."""


def defer_imports() -> None:
    """Load the modules of :data:`DEFERRED` on first use from here on, in this process.

    For programs (the command line, the process of a run), before they import torch: a library leaves the import
    system of its user's process alone. Modules already imported are left as they are.
    """
    if not any(isinstance(finder, _Deferring) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Deferring())


class _Deferring(MetaPathFinder):
    """Finds the modules to defer and hands them to Python's own ``LazyLoader``."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in DEFERRED:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec
