"""Joining the ranks that a launcher started."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from alignrec_geo.distributed.group import Group, using
from alignrec_geo.errors import InputError, RankLost
from alignrec_geo.ranks import launched

LOOK = 1.0
"""Seconds between two looks at whether the launcher still lives."""


@contextmanager
def joined(device: torch.device | str = "cpu") -> Iterator[Group | None]:
    """Train as one of the ranks that ``torchrun`` started; on one's own where it started no others.

    ``torch.distributed`` sends over gloo between CPUs and over NCCL between GPUs, of which each rank has the one of its
    local number. A rank whose launcher has died ends.

    Args:
        device: where to train.

    Raises:
        InputError: there are fewer GPUs than ranks on this machine.
        RankLost: the other ranks cannot be reached.

    Example:
        >>> with joined() as group:
        ...     print(group)
        None
    """
    place = launched()
    if place is None:
        yield None
        return
    on_gpu = torch.device(device).type == "cuda"
    if on_gpu:
        if place.local_rank >= torch.cuda.device_count():
            raise InputError(
                f"every rank needs a GPU of its own, and this machine has {torch.cuda.device_count()} (got ranks "
                f"{place.local_rank + 1} and more); start fewer ranks, or train on the CPU"
            )
        torch.cuda.set_device(place.local_rank)
    _end_with_launcher()
    try:
        store, _, _ = next(rendezvous("env://"))
        # ranks that a launcher starts anew may meet in the store of those that ended: not at their addresses
        store = PrefixStore(f"start {place.restarts}", store)
        dist.init_process_group("nccl" if on_gpu else "gloo", store=store, rank=place.rank, world_size=place.size)
    except RuntimeError as error:
        raise RankLost(f"the ranks do not find each other: {error}") from error
    group = Group(place.rank, place.size, place.local_rank)
    with using(group):
        yield group
    with suppress(RuntimeError):  # not after an error: the launcher is to hear of it before the others end
        dist.destroy_process_group()


def _end_with_launcher() -> None:
    launcher = os.getppid()

    def watch() -> None:
        while os.getppid() == launcher:
            time.sleep(LOOK)
        os._exit(1)

    threading.Thread(target=watch, name="launcher", daemon=True).start()
