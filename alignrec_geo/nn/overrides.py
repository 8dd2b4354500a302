"""Parts of a model that are given as objects, entered into its settings as far as settings can name them."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel

from alignrec_geo.errors import InputError
from alignrec_geo.nn.conv import describe

Config = TypeVar("Config", bound=BaseModel)
MOST_LAYERS = 100


def apply_overrides(config: Config, layers: int | None = None, **parts: Any) -> tuple[Config, dict[str, Any]]:
    """Return the settings with what was given in place of them, and every part: as it was given, else as configured.

    Names and classes can be trained again from the stored settings; of other objects only a description is stored,
    which is refused if a run is to be made from it.

    Args:
        config: the settings.
        layers: propagation layers; ``None`` leaves them, or takes as many as ``user_item_conv`` lists.
        parts: layers and fusions by setting; ``None`` leaves the setting.

    Raises:
        InputError: ``layers`` is no such number.
    """
    update: dict[str, Any] = {name: _described(part) for name, part in parts.items() if part is not None}
    listed = parts.get("user_item_conv")
    if layers is None and isinstance(listed, Sequence) and not isinstance(listed, str):
        layers = len(listed)
    if layers is not None:
        if isinstance(layers, bool) or not isinstance(layers, int) or layers > MOST_LAYERS:
            raise InputError(f"layers must be a whole number of at most {MOST_LAYERS} (got {layers!r:.80})")
        if layers < 0:
            raise InputError(f"layers must be at least 0 (got {layers})")
        update["layers"] = layers
    chosen = {name: getattr(config, name) if part is None else part for name, part in parts.items()}
    return config.model_copy(update=update), chosen


def _described(part: Any) -> Any:
    if isinstance(part, Mapping):
        return {"__".join(key) if isinstance(key, tuple) else str(key): describe(conv) for key, conv in part.items()}
    return describe(part)
