"""Which backend runs each operation: the ``kernels`` section of a run's settings."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import field_validator
from pydantic_core.core_schema import ValidationInfo

from alignrec_geo.kernels.backends import AUTO, FORMER_NAMES, TABLE
from alignrec_geo.settings import Settings


class KernelConfig(Settings):
    """Backends by operation; ``auto`` takes the best for the device (see ``alignrec-geo doctor``)."""

    renamed: ClassVar[Mapping[str, str]] = FORMER_NAMES

    spmm: str = AUTO
    """Propagation: auto, torch, triton, torch-sparse, torch-scatter, reference."""
    gather: str = AUTO
    """Gradients of gathered rows: auto, torch, triton, torch-scatter, reference."""
    infonce: str = AUTO
    """InfoNCE: auto, torch, dense, triton, reference."""
    triplet_loss: str = AUTO
    """BPR, UIA and L2: auto, torch, triton, reference."""
    similarity_gap: str = AUTO
    """Similarity regulariser: auto, torch, triton, reference."""
    gate: str = AUTO
    """Gates of content: auto, torch, triton, reference."""
    unit_rows: str = AUTO
    """Rows of unit length: auto, torch, triton, reference."""
    topk: str = AUTO
    """Ranking: auto, torch, numpy, triton, reference."""
    adam: str = AUTO
    """Adam on large tables: auto, torch (its own optimiser), triton, reference."""
    matmul: str = AUTO
    """Dense products on a CPU: auto, torch, onednn, reference."""

    @field_validator("*")
    @classmethod
    def _known(cls, value: str, info: ValidationInfo) -> str:
        allowed = [AUTO, *TABLE[str(info.field_name)]]
        if value not in allowed:
            raise ValueError(f"allowed: {', '.join(allowed)}")
        return value
