"""Counts what a rank sends where ``torch.distributed`` dispatches its collectives."""

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class Sent(TorchDispatchMode):
    """Counts what a rank sends while steps are made, as a ring sends it: ``(P - 1) / P`` of what an all-gather or a
    reduce-scatter moves in all, twice that for an all-reduce, and of an all-to-all what is for the others.

    Args:
        size: number of ranks.
        rank: the number of this one.
    """

    def __init__(self, size: int, rank: int = 0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.size, self.rank, self.calls = size, rank, 0
        self.bytes: dict[str, float] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Look at a call, then make it."""
        if func.namespace == "c10d":
            name = func._overloadpacket.__name__.strip("_")
            self.bytes[name] = self.bytes.get(name, 0.0) + self._sent(name, args)
            self.calls += 1
        return func(*args, **(kwargs or {}))

    def per_step(self, steps: int) -> dict[str, Any]:
        """Bytes and calls of a step."""
        by_name = {name: value / steps for name, value in self.bytes.items()}
        return {"sent": sum(by_name.values()), "sent_by": by_name, "collectives": self.calls / steps}

    def _sent(self, name: str, args: Any) -> float:
        share = (self.size - 1) / self.size
        if name == "allgather":
            return share * self.size * _bytes(args[1])
        if name == "reduce_scatter":
            return share * _bytes(args[1][0])
        if name == "allreduce":
            return share * 2 * _bytes(args[0])
        if name == "alltoall_base":
            sent, splits = args[1], args[4]
            own = splits[self.rank] if splits else len(sent) // self.size
            return float((len(sent) - own) * (sent.numel() // max(len(sent), 1)) * sent.element_size())
        raise ValueError(f"no rule for the collective '{name}'")


def _bytes(tensors: list[torch.Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
