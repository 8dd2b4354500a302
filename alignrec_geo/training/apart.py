"""What many ranks can train: models whose layers do not mix the columns of their tables."""

from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.distributed.tables import check_even, widths_apart
from alignrec_geo.errors import InputError
from alignrec_geo.models.base import ModelConfig, Recommender
from alignrec_geo.models.held_out import holds_out_items
from alignrec_geo.models.registry import MODELS, find_model, model_name
from alignrec_geo.training.config import TrainingConfig

BY_COLUMN = {
    "user_item_conv": ("light",),
    "item_item_conv": ("light",),
    "user_conv": ("light",),
    "conv_residual": ("auto", "never"),
    "conv_norm": ("none",),
}
"""The values of settings with which layers work on each column by itself."""


def check_apart(model: Recommender, data: Dataset, settings: TrainingConfig, ranks: int) -> None:
    """Refuse what many ranks cannot train.

    Raises:
        InputError: the model, one of its settings, users or items that are held out, or tables that every rank has
            whole.
    """
    check_settings_apart(type(model), model.config, settings, ranks)
    if not widths_apart(model):
        raise InputError(
            f"the tables of this {type(model).__name__} are whole; make the model in the block of joined(), where "
            "every rank gets its columns"
        )
    if len(data.interactions.of(Split.HISTORY)):
        raise InputError(
            f"data set '{data.name}' holds out whole users, who are folded in from whole tables; train in one process"
        )
    if model.features and not model.places_cold_items and holds_out_items(data.interactions):
        raise InputError(
            f"data set '{data.name}' holds out whole items, which are placed by whole vectors; train in one process"
        )


def check_settings_apart(kind: type[Recommender], config: ModelConfig, settings: TrainingConfig, ranks: int) -> None:
    """Refuse a model that mixes columns, and settings with which one does.

    Args:
        kind: the model.
        config: its settings.
        settings: those of the training loop.
        ranks: how many are to train it.

    Raises:
        InputError: names what several ranks can do.
    """
    if not kind.columns_apart:
        can = ", ".join(sorted(name for name in MODELS if find_model(name).columns_apart))
        raise InputError(
            f"model '{model_name(kind)}' {kind.why_undivided} and is trained by one process; several ranks can "
            f"train {can}"
        )
    check_even(getattr(config, "dim", 0), ranks)
    for name, allowed in BY_COLUMN.items():
        value = getattr(config, name, allowed[0])
        if any(one not in allowed for one in (value if isinstance(value, list) else [value])):
            raise InputError(
                f"several ranks train layers that work on each column by itself: {name} must be "
                f"{' or '.join(map(repr, allowed))} (got {value!r:.80}); other layers are trained by one process"
            )
    if ":" in settings.device:
        raise InputError(f"device '{settings.device}' is one GPU, and every rank has its own; name 'cuda' or 'cpu'")
    if settings.compile:
        raise InputError("the loss is not compiled on several ranks; leave 'training.compile' out")
