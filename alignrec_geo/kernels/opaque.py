"""Operations that ``torch.compile`` calls as they are."""

from collections.abc import Callable
from typing import TypeVar, cast

import torch

Operation = TypeVar("Operation", bound=Callable[..., object])


def opaque(operation: Operation) -> Operation:
    """Keep the compiler out of a kernel: it would trace hand-written passes, and again for every batch's sizes."""
    return cast(Operation, torch.compiler.disable(operation))
