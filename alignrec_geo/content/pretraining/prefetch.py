"""The next batch is made while a GPU works on this one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Batch = TypeVar("Batch")


def prefetched(batches: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
    """Yield what ``batches`` yields, in its order; on a GPU one is made ahead, in a thread of its own.

    Args:
        batches: makes a batch whenever it is asked for one.
        device: where batches are used; on a CPU, which makes them too, nothing runs ahead.
    """
    if device.type == "cpu":
        yield from batches
        return
    end = object()
    with ThreadPoolExecutor(max_workers=1) as pool:
        following = pool.submit(next, batches, end)
        while (batch := following.result()) is not end:
            following = pool.submit(next, batches, end)
            yield batch  # type: ignore[misc]
