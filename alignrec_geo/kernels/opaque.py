"""Operations that ``torch.compile`` calls as they are."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import torch

Operation = TypeVar("Operation", bound=Callable[..., object])


def opaque(operation: Operation) -> Operation:
    """Keep the compiler out of a kernel: it would trace hand-written passes, and again for every batch's sizes.

    ``torch.compiler.disable`` loads the compiler, more than a second of Python: it is called with the first call.
    """
    hidden: list[Callable[..., object]] = []

    @wraps(operation)
    def call(*args: Any, **kwargs: Any) -> object:
        if not hidden:
            hidden.append(torch.compiler.disable(operation))
        return hidden[0](*args, **kwargs)

    return cast(Operation, call)
