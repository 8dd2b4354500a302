"""What many ranks can train: models whose layers do not mix the columns of their tables."""

from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.models.base import Recommender
from alignrec_geo.models.registry import MODELS, find_model, model_name
from alignrec_geo.nn.bipartite import BipartitePropagation
from alignrec_geo.nn.hetero_encoder import HeteroEncoder
from alignrec_geo.nn.propagation import Propagation
from alignrec_geo.training.config import TrainingConfig


def check_apart(model: Recommender, data: Dataset, settings: TrainingConfig) -> None:
    """Refuse what many ranks cannot train.

    Raises:
        InputError: the model, one of its layers, held-out users, or a compiled loss.
    """
    check_model_apart(type(model))
    for module in model.modules():
        mixes = isinstance(module, HeteroEncoder) or (
            isinstance(module, Propagation | BipartitePropagation) and not module.plain
        )
        if mixes:
            raise InputError(
                "on many ranks every layer works on each column by itself, as 'light' without residual and norm does; "
                f"train {module} in one process"
            )
    if len(data.interactions.of(Split.HISTORY)):
        raise InputError(
            f"data set '{data.name}' holds out whole users, who are folded in from whole tables; train in one process"
        )
    if ":" in settings.device:
        raise InputError(f"device='{settings.device}' is one GPU, and every rank has its own; name 'cuda' or 'cpu'")
    if settings.compile:
        raise InputError("compile=True does not go together with many ranks; leave it out")


def check_model_apart(kind: type[Recommender]) -> None:
    """Refuse a model that mixes columns.

    Raises:
        InputError: it does; names those that do not.
    """
    if not kind.columns_apart:
        can = ", ".join(sorted(name for name in MODELS if find_model(name).columns_apart))
        raise InputError(
            f"model '{model_name(kind)}' mixes the columns of its tables and is trained by one process; many ranks can "
            f"train {can}"
        )
