"""The items' feature matrices, each with the layer that brings it to the width of the embeddings."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from alignrec_geo.distributed import column_parameter
from alignrec_geo.graph.modalities import Modality


class ModalityEncoder(nn.Module):
    r"""Hold every modality's matrix :math:`F_m` and return :math:`f_m(F_m)`.

    Items without a modality get a zero row there, whatever stands in the matrix, and pass no gradient.

    Args:
        parts: the modalities.
        layers: :math:`f_m`, one per modality, from ``[I, D_m]`` to ``[I, d]``.
        trainable: train the matrices too.

    Shapes:
        - **output:** one ``[I, d]`` per modality, in the order of ``parts``
    """

    def __init__(self, parts: Sequence[Modality], layers: Sequence[nn.Module], trainable: bool = False) -> None:
        super().__init__()
        if len(parts) != len(layers):
            raise ValueError(f"one layer per modality is needed (got {len(layers)} for {len(parts)})")
        self.names = tuple(part.name for part in parts)
        self.tables = nn.ParameterList(
            column_parameter(part.x.masked_fill(~part.present[:, None], 0.0), trainable) for part in parts
        )
        self.layers = nn.ModuleList(layers)
        for number, part in enumerate(parts):
            mask = None if bool(part.present.all()) else part.present[:, None].float()
            self.register_buffer(f"mask_{number}", mask, persistent=False)

    def forward(self) -> list[Tensor]:
        """Return every modality's encoded items."""
        return [
            self.masked(number, layer(table))
            for number, (table, layer) in enumerate(zip(self.tables, self.layers, strict=True))
        ]

    def masked(self, number: int, rows: Tensor) -> Tensor:
        """Set the rows of items without modality ``number`` to zero."""
        mask: Tensor | None = getattr(self, f"mask_{number}")
        return rows if mask is None else rows * mask

    def present(self, number: int) -> Tensor:
        """Which items have modality ``number``, ``[I]`` bool."""
        mask: Tensor | None = getattr(self, f"mask_{number}")
        table = self.tables[number]
        return torch.ones(len(table), dtype=torch.bool, device=table.device) if mask is None else mask[:, 0] > 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}(modalities={list(self.names)})"
