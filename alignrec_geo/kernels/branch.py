"""Parts of a step that do not wait for each other, side by side in a CUDA graph."""

from types import TracebackType
from typing import Any

import torch
from torch import Tensor


class Branch:
    """What runs inside of it is recorded beside everything that comes after its making, up to :meth:`join`.

    Many kernels of a step use few of a GPU's multiprocessors; recorded on another stream, two chains of them run at the
    same time, and so do their backward passes, which autograd runs where the forward ran. Outside of the recording of a
    CUDA graph, where the host would only have more to launch, and on other devices, a branch does nothing. Values are
    the same in every case.

    Args:
        inputs: tensors from before the branch that it reads, parameters excepted.

    Example:
        >>> x = torch.ones(2)
        >>> branch = Branch(x)
        >>> with branch:
        ...     y = x + 1
        >>> z = x * 3
        >>> branch.join(y)
        >>> (y + z).tolist()
        [5.0, 5.0]
    """

    def __init__(self, *inputs: Tensor) -> None:
        self._side: torch.cuda.Stream | None = None
        if inputs and inputs[0].is_cuda and torch.cuda.is_current_stream_capturing():
            self._side = torch.cuda.Stream(inputs[0].device)
            self._side.wait_stream(torch.cuda.current_stream(inputs[0].device))
            for tensor in inputs:
                tensor.record_stream(self._side)  # not to be freed for others before the branch has read it
        self._context: Any = None

    def __enter__(self) -> None:
        if self._side is not None:
            self._context = torch.cuda.stream(self._side)
            self._context.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._context is not None:
            self._context.__exit__(kind, error, trace)

    def join(self, *results: Tensor) -> None:
        """Let what follows wait for the branch.

        Args:
            results: tensors made in the branch that are read from here on.
        """
        if self._side is None:
            return
        current = torch.cuda.current_stream(self._side.device)
        current.wait_stream(self._side)
        for tensor in results:
            tensor.record_stream(current)
