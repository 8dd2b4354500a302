"""The tables of a run, for verbs that are asked with items."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alignrec_geo.serving import TopItems


def load_for_items(run: Path, ids: Iterable[Any] | None, include_cold: bool, device: str, index: str) -> "TopItems":
    """Load a run, with the items of 'embed' if they are to be ranked or one of the given items is not in the data set.

    Args:
        run: the run folder.
        ids: external ids of items; ``None`` for all that there are.
        include_cold: rank the items of 'embed' too.
        device: where.
        index: ``exact``, or ``ann`` for the index of the run.

    Raises:
        InputError: the run cannot be read.
    """
    from alignrec_geo.device import choose_device
    from alignrec_geo.serving.cold_store import COLD
    from alignrec_geo.serving.store import load_top_items

    where = choose_device(device)
    top = load_top_items(run, include_cold, where, index)
    if include_cold or not (run / COLD).exists() or (ids is not None and all(map(top.knows_item, ids))):
        return top
    return load_top_items(run, include_cold=True, device=where, index=index)
