"""What observers are told before the first epoch, and what the log says of it."""

import logging
from typing import Any

from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.distributed import current
from alignrec_geo.distributed.tables import whole_count
from alignrec_geo.models.base import Recommender
from alignrec_geo.models.held_out import HeldOut
from alignrec_geo.training.run_config import RunConfig

logger = logging.getLogger(__name__)


def facts_of(model: Recommender, data: Dataset, config: RunConfig, held_out: HeldOut) -> dict[str, Any]:
    """The facts of :meth:`~alignrec_geo.observer.Observer.training_started`; they are logged, too."""
    pairs = data.interactions
    facts = {
        "model": config.model,
        "data": data.name,
        "features": list(config.features or []),
        "users": pairs.n_users,
        "items": pairs.n_items,
        "pairs": len(pairs.of(Split.TRAIN)),
        "parameters": sum(whole_count(one) for one in model.parameters() if one.requires_grad),
        "device": str(next((parameter.device for parameter in model.parameters()), "cpu")),
        "epochs": config.training.epochs,
    }
    if held_out.new_items:
        facts |= {"new_items": held_out.new_items, "placed": held_out.placed}
    group = current()
    if group is not None:
        facts["ranks"] = group.size
    logger.info("training starts: %s", ", ".join(f"{name} {value}" for name, value in facts.items()))
    return facts
