"""What is checked once where a graph of the user's enters: its node types, their numbers, and every edge."""

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from alignrec_geo.errors import InputError
from alignrec_geo.kernels.ranges import outlier

if TYPE_CHECKING:
    from torch_geometric.data import HeteroData
    from torch_geometric.typing import EdgeType

INTERACTS = ("user", "interacts", "item")
CPU = torch.device("cpu")


class Edges(NamedTuple):
    """The edges of one type, checked."""

    source: Tensor
    """``[E]`` int64."""
    target: Tensor
    """``[E]`` int64."""
    weight: Tensor | None
    """``[E]`` float, finite; ``None`` if the edges have none."""
    shape: tuple[int, int]
    """Number of targets and of sources."""


def check_graph(data: Any, user: str) -> "HeteroData":
    """Return ``data`` if it is a ``HeteroData``.

    Args:
        data: what was given as the graph.
        user: who takes it, for the message.

    Raises:
        InputError: it is something else; says what to do with a data set.
    """
    from torch_geometric.data import HeteroData  # seconds: only where there is a graph

    if isinstance(data, HeteroData):
        return data
    advice = f"; for a data set there is {user}.from_dataset" if hasattr(data, "interactions") else ""
    raise InputError(f"{user} takes a graph, PyG's HeteroData{advice} (got a {type(data).__name__})")


def node_count(data: "HeteroData", kind: str) -> int:
    """Return the number of nodes of a type: ``num_nodes``, or the rows of what its nodes carry.

    Raises:
        InputError: no such node type, or nothing says how many there are.

    Example:
        >>> from torch_geometric.data import HeteroData
        >>> data = HeteroData()
        >>> data["item"].x = torch.zeros(3, 2)
        >>> node_count(data, "item")
        3
    """
    if kind not in data.node_types:
        raise InputError(
            f"the graph has no node type '{kind}'; there are: {', '.join(data.node_types) or 'none'}; "
            f"set data['{kind}'].num_nodes, or make a data set of any graph with Dataset.from_hetero(data, edge_type=…)"
        )
    store = data[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # PyG warns where it has to guess
        stated = store.num_nodes
    if stated is None:
        carried = [key for key in store.keys() if key == "external_id" or key.startswith(("x_", "has_"))]  # noqa: SIM118
        stated = len(store[carried[0]]) if carried else None
    if stated is None:
        raise InputError(f"the graph does not say how many '{kind}' nodes there are; set data['{kind}'].num_nodes")
    count = stated.item() if isinstance(stated, Tensor) and stated.numel() == 1 else stated
    try:
        number = int(count)
    except (TypeError, ValueError):
        number = -1
    if number < 0 or number != count or isinstance(count, bool):
        raise InputError(f"data['{kind}'].num_nodes must be a whole number of at least 0 (got {stated!r:.60})")
    return number


def interaction_type(data: "HeteroData") -> "EdgeType":
    """Return the edge type of the training pairs: ``user__interacts__item``, or the only one from user to item.

    Raises:
        InputError: there is none, or there are several of other names; says which there are.

    Example:
        >>> from torch_geometric.data import HeteroData
        >>> data = HeteroData()
        >>> data["user", "buys", "item"].edge_index = torch.tensor([[0], [0]])
        >>> interaction_type(data)
        ('user', 'buys', 'item')
    """
    if INTERACTS in data.edge_types:
        return INTERACTS
    fitting = [kind for kind in data.edge_types if (kind[0], kind[2]) == ("user", "item")]
    if len(fitting) == 1:
        return fitting[0]
    known = ", ".join(map(name_of, data.edge_types)) or "none"
    turned = [kind for kind in data.edge_types if (kind[0], kind[2]) == ("item", "user")]
    hint = f"; those of '{name_of(turned[0])}' lead the other way, turn them with edge_index.flip(0)" if turned else ""
    raise InputError(f"the graph has no edge type '{name_of(INTERACTS)}'; there are: {known}{hint}")


def edges_of(data: "HeteroData", edge_type: "EdgeType", device: torch.device = CPU) -> Edges:
    """Return the edges of a type that the graph has, checked.

    Args:
        data: the graph; it is not changed.
        edge_type: source, relation, target.
        device: where they must be.

    Raises:
        InputError: there is no ``edge_index``, or it is not ``[2, E]`` of whole numbers; an edge leads from or to a
            node that does not exist; the weights are not one finite number per edge; or a tensor is on another device.
    """
    name, store = name_of(edge_type), data[edge_type]
    if "edge_index" not in store:
        sparse = [key for key in ("adj_t", "adj") if key in store]
        how = f" but '{sparse[0]}'; build the model before ToSparseTensor" if sparse else ""
        raise InputError(f"edge type '{name}' has no edge_index{how}")
    index = _index(store.edge_index, name)
    shape = node_count(data, edge_type[2]), node_count(data, edge_type[0])
    _check_device(index, device, f"edge_index of '{name}'")
    _check_ends(index, shape, edge_type)
    weight = store.edge_weight if "edge_weight" in store else None
    if weight is not None:
        weight = _weight(weight, index.shape[1], name)
        _check_device(weight, device, f"edge_weight of '{name}'")
    return Edges(index[0], index[1], weight, shape)


def name_of(edge_type: "EdgeType") -> str:
    """The text of an edge type: ``source__relation__target``."""
    return "__".join(edge_type)


def _index(index: Any, name: str) -> Tensor:
    if not isinstance(index, Tensor) or index.layout != torch.strided:
        raise InputError(f"edge_index of '{name}' must be a dense tensor [2, E] (got a {type(index).__name__})")
    if index.dim() != 2 or index.shape[0] != 2:
        hint = "; transpose it: edge_index.t()" if index.dim() == 2 and index.shape[1] == 2 else ""
        raise InputError(f"edge_index of '{name}' must be [2, E]{hint} (got {list(index.shape)})")
    if index.dtype.is_floating_point or index.dtype.is_complex or index.dtype == torch.bool:
        kind = str(index.dtype).removeprefix("torch.")
        raise InputError(f"edge_index of '{name}' must hold the numbers of nodes, int64 (got {kind})")
    return index.as_subclass(Tensor).long()  # an EdgeIndex sorts and caches what is not needed here


def _check_ends(index: Tensor, shape: tuple[int, int], edge_type: "EdgeType") -> None:
    ends = ((index[1], shape[0], edge_type[2]), (index[0], shape[1], edge_type[0]))
    for nodes, count, kind in ends:
        found = outlier(nodes, count)
        if found is not None:
            swapped = outlier(index[0], shape[0]) is None and outlier(index[1], shape[1]) is None
            hint = f"; its rows may be swapped: row 0 holds {edge_type[0]}s, row 1 {edge_type[2]}s" if swapped else ""
            raise InputError(
                f"edge type '{name_of(edge_type)}' names {kind} {found}; there are {count}, counted from 0{hint}"
            )


def _weight(weight: Any, count: int, name: str) -> Tensor:
    shape = list(weight.shape) if isinstance(weight, Tensor) else type(weight).__name__
    if shape != [count]:
        raise InputError(f"edge_weight of '{name}' must be one number per pair: [{count}] (got {shape})")
    if weight.dtype.is_complex or weight.dtype == torch.bool or weight.layout != torch.strided:
        raise InputError(f"edge_weight of '{name}' must hold real numbers (got {weight.dtype})")
    number: Tensor = weight.detach().float()
    bad = torch.nonzero(~torch.isfinite(number))[:, 0]
    if len(bad):
        value = float(number[bad[0]])
        raise InputError(f"edge_weight of '{name}' must be finite (got {value} at edge {int(bad[0])})")
    return number


def _check_device(tensor: Tensor, device: torch.device, what: str) -> None:
    if tensor.device.type != device.type:
        advice = f"{device} is needed"
        if device == CPU:
            advice = "make the model from graph.cpu() and move it with model.to(…)"
        raise InputError(f"{what} is on another device; {advice} (got {tensor.device})")
