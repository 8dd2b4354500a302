"""Message-passing layers by name, class path, class, function or instance, checked before anything is trained."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import torch
from pydantic import BeforeValidator
from torch import Tensor, nn
from torch_geometric.nn import (
    APPNP,
    AGNNConv,
    GATv2Conv,
    GCNConv,
    GINConv,
    GraphConv,
    LGConv,
    SAGEConv,
    SGConv,
    TransformerConv,
)

from alignrec_geo.errors import InputError
from alignrec_geo.nn.class_path import is_path, load_named, path_of
from alignrec_geo.nn.graph_layer import GraphLayer, Norm, Residual, Weights
from alignrec_geo.nn.light_conv import LightConv
from alignrec_geo.reading import typed_line

Conv = str | type[nn.Module] | nn.Module | Callable[..., Tensor] | Sequence[Any]
"""A layer: a name of :data:`CONVS`, a class path, a class, an instance or a function; or one of these per layer."""


class _Recipe(NamedTuple):
    """How a layer of PyG is made from the width of the embeddings."""

    kind: type[nn.Module]
    make: Callable[[int], nn.Module]
    weights: Weights | None = None


def _mlp(width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))


CONVS: dict[str, _Recipe] = {
    "light": _Recipe(LightConv, lambda width: LightConv()),
    "lg": _Recipe(LGConv, lambda width: LGConv(normalize=False)),
    "gcn": _Recipe(GCNConv, lambda width: GCNConv(width, width, normalize=False)),
    "sage": _Recipe(SAGEConv, lambda width: SAGEConv(width, width)),
    "graph": _Recipe(GraphConv, lambda width: GraphConv(width, width)),
    "gatv2": _Recipe(GATv2Conv, lambda width: GATv2Conv(width, width, edge_dim=1)),
    "transformer": _Recipe(TransformerConv, lambda width: TransformerConv(width, width, edge_dim=1)),
    "gin": _Recipe(GINConv, lambda width: GINConv(_mlp(width))),
    "agnn": _Recipe(AGNNConv, lambda width: AGNNConv(add_self_loops=False), "relative"),
    "appnp": _Recipe(APPNP, lambda width: APPNP(K=2, alpha=0.1, normalize=False)),
    "sg": _Recipe(SGConv, lambda width: SGConv(width, width)),
}
"""PyG's layers as the models make them. The graphs' weights are normalised already, so where PyG can normalise, that is
switched off (``SGConv`` always does). Attention gets the weights as its one edge feature."""


def resolve_conv(
    spec: Conv,
    width: int,
    layers: int,
    setting: str = "user_item_conv",
    residual: Residual = "auto",
    norm: Norm = "none",
) -> list[GraphLayer]:
    """Make the layers that a setting names, and run each once on a small graph.

    Classes are called with the width for ``in_channels`` and ``out_channels`` (or for their one or two positional
    arguments, or with none) and ``edge_dim=1`` where there is such an argument. An instance serves every layer, with
    the same weights; give a list to have several.

    Args:
        spec: see :data:`Conv`.
        width: width ``d`` of the embeddings.
        layers: how many layers.
        setting: name of the setting, for messages.
        residual: add a layer's input to its output; see :data:`~alignrec_geo.nn.graph_layer.Residual`.
        norm: normalise its output; see :data:`~alignrec_geo.nn.graph_layer.Norm`.

    Raises:
        InputError: no such layer, a list of another length, or a layer that does not turn ``[N, d]`` into ``[N, d]``.

    Example:
        >>> resolve_conv("light", 64, 2)[0]
        GraphLayer(LightConv(), weights=passed, residual=False, norm=none)
    """
    each = list(spec) if isinstance(spec, Sequence) and not isinstance(spec, str) else [spec] * layers
    if len(each) != layers:
        raise InputError(f"{setting}: {len(each)} layers were given for {layers}; name one, or one per layer")
    made = [_make(part, width, setting, residual, norm) for part in each]
    for layer, part in zip(made, each, strict=True):
        _check(layer, width, f"{setting}: layer '{describe(part)}'")
    return made


def describe(spec: Conv) -> str | list[str]:
    """The text that stands for a layer in a run's settings; what was given as an object cannot be named again."""
    if isinstance(spec, str):
        return spec
    if isinstance(spec, Sequence):
        return [str(describe(part)) for part in spec]
    kind = spec if isinstance(spec, type) or not isinstance(spec, nn.Module) else type(spec)
    module, name = getattr(kind, "__module__", "builtins"), getattr(kind, "__qualname__", type(kind).__qualname__)
    path = f"{module}.{name}"
    return path if isinstance(spec, type) else f"<object of {path}>"


def _conv_names(value: Any) -> Any:
    """What a setting may hold: names and class paths. Classes are replaced by their paths."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_conv_names(part) for part in value]
    if isinstance(value, Mapping):
        return {key: _conv_names(part) for key, part in value.items()}
    if isinstance(value, type):
        return path_of(value, "a layer")
    if isinstance(value, str) and value not in CONVS and not is_path(value):
        raise ValueError(f"unknown layer; there are: {', '.join(CONVS)}, or a class path such as mypackage.MyConv")
    return value


ConvNames = Annotated[str | list[str], BeforeValidator(_conv_names)]
"""A setting that names a layer, or one per layer."""
ConvNamesByEdge = Annotated[str | list[str] | dict[str, str | list[str]], BeforeValidator(_conv_names)]
"""A setting that names a layer, one per layer, or either by edge type (``user__interacts__item``)."""


def _make(spec: Any, width: int, setting: str, residual: Residual, norm: Norm) -> GraphLayer:
    if isinstance(spec, str) and spec in CONVS:
        recipe = CONVS[spec]
        return GraphLayer(recipe.make(width), width, residual, norm, recipe.weights)
    if isinstance(spec, str):
        if not is_path(spec):
            raise InputError(f"{setting}: unknown layer (got '{spec}'); there are: {', '.join(CONVS)}, or a class path")
        spec = load_named(spec, setting)
    known = next((recipe for recipe in CONVS.values() if spec is recipe.kind), None)
    if known is not None:
        return GraphLayer(known.make(width), width, residual, norm, known.weights)
    if isinstance(spec, type):
        spec = _instance(spec, width, setting)
    if not callable(spec):
        raise InputError(f"{setting}: a layer is a name, a class, a module or a function (got {spec!r})")
    return GraphLayer(spec, width, residual, norm)


def _instance(kind: type[Any], width: int, setting: str) -> Any:
    try:
        parameters = inspect.signature(kind).parameters.values()
    except (TypeError, ValueError):
        raise InputError(f"{setting}: '{kind.__qualname__}' is no layer") from None
    names = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD and p.kind is not p.VAR_POSITIONAL]
    needed = [p.name for p in parameters if p.default is p.empty and p.name in names]
    known = {"in_channels": width, "out_channels": width, "edge_dim": 1}
    given = {name: value for name, value in known.items() if name in names}
    positional = [name for name in needed if name not in given]
    if len(positional) > (0 if "in_channels" in given else 2):
        raise InputError(
            f"{setting}: class '{kind.__qualname__}' needs '{positional[-1]}', and only widths are known; give an "
            "instance to the model's constructor, or a class with in_channels and out_channels"
        )
    try:
        return kind(**given, **dict.fromkeys(positional, width))
    except Exception as error:
        raise InputError(f"{setting}: making '{kind.__qualname__}' failed: {typed_line(error)}") from error


def _check(layer: GraphLayer, width: int, what: str) -> None:
    """Run a layer on a ring of five nodes with a chord: what it returns must be one row of the width per node."""
    nodes = 5
    ring = torch.arange(nodes)
    edge_index = torch.stack([torch.cat([ring, ring[:1]]), torch.cat([ring.roll(-1), ring[2:3]])])
    x = torch.linspace(-1.0, 1.0, nodes * width).view(nodes, width)
    training = layer.training
    try:
        with torch.no_grad():
            result: Any = layer.eval()._convolved(x, edge_index, torch.full((nodes + 1,), 0.5))
    except Exception as error:
        raise InputError(f"{what} fails on rows of width {width}: {typed_line(error)}") from error
    finally:
        layer.train(training)
    if not isinstance(result, Tensor):
        raise InputError(f"{what} must return one tensor (got a {type(result).__name__})")
    if result.dim() != 2 or len(result) != nodes:
        raise InputError(f"{what} must return one row per node (got shape {tuple(result.shape)} for {nodes} nodes)")
    if result.shape[1] != width:
        raise InputError(f"{what} must keep the width {width} of the embeddings (got {result.shape[1]})")
    if not result.dtype.is_floating_point or not bool(torch.isfinite(result).all()):
        raise InputError(f"{what} must return finite numbers (got NaN, infinity or {result.dtype})")
