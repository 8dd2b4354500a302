"""Item vectors of many items, a batch at a time."""

from collections.abc import Callable

import torch
from torch import Tensor

from alignrec_geo.typing import Int64


@torch.no_grad()
def encode_in_batches(encode: Callable[[Int64], Tensor], items: Int64, width: int, batch_size: int) -> Tensor:
    """Return the vectors of items, ``[n, width]`` float32 on the CPU.

    Args:
        encode: from the rows of a batch to its vectors, on any device.
        items: rows of the data set.
        width: D of the vectors.
        batch_size: items at a time.

    Example:
        >>> import numpy as np
        >>> encode_in_batches(lambda rows: torch.from_numpy(rows)[:, None] * 2.0, np.arange(3), 1, 2).tolist()
        [[0.0], [2.0], [4.0]]
    """
    vectors = torch.zeros(len(items), width)
    for start in range(0, len(items), batch_size):
        vectors[start : start + batch_size] = encode(items[start : start + batch_size]).float().cpu()
    return vectors
