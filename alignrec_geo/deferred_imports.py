"""Parts of the libraries that a program of ours loads only when it touches them."""

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from threading import RLock
from types import ModuleType
from typing import Any

DEFERRED = frozenset({"torch._dynamo", "torch_geometric.datasets"})
"""``import torch_geometric`` loads both, four of its six seconds: the compiler, and through a data set of PyG's the
whole of ``transformers`` and pandas."""

_KNOWN = frozenset({"__class__", "__dict__", "__file__", "__name__", "__spec__"})
"""What is known without loading. The standard library's ``LazyLoader`` loads on these too, and ``inspect`` asks every
module of the process for its file when a source line is looked up. ``__path__`` is not among them: a submodule is
imported after its package."""
_LOADING = RLock()


def defer_imports() -> None:
    """Load the modules of :data:`DEFERRED` on first use from here on, in this process.

    For programs (the command line, the process of a run), before they import torch: a library leaves the import
    system of its user's process alone. Modules already imported are left as they are.
    """
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in DEFERRED:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Later(spec.loader)
        return spec


class _Later(Loader):
    """Leaves an unloaded module where ``loader`` would run the module's code."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def exec_module(self, module: ModuleType) -> None:
        """Run nothing yet."""
        module.__class__ = _Unloaded


class _Unloaded(ModuleType):
    """A module whose code runs when an attribute is asked that only the code can give."""

    def __getattribute__(self, name: str) -> Any:
        if name not in _KNOWN:
            with _LOADING:  # other threads wait, as they do for an import; this one passes while the code runs
                _load(self)
        return ModuleType.__getattribute__(self, name)


def _load(module: ModuleType) -> None:
    spec = module.__spec__
    if spec is None or not isinstance(spec.loader, _Later):
        return  # another thread was first, or it is being loaded
    later = spec.loader
    spec.loader = module.__dict__["__loader__"] = later.loader
    try:
        later.loader.exec_module(module)
    except BaseException:
        spec.loader = module.__dict__["__loader__"] = later
        raise
    module.__class__ = ModuleType
