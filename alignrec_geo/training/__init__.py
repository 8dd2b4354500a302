"""The training loop, its settings, its checkpoints."""

from typing import TYPE_CHECKING

from alignrec_geo.lazy import lazy_names

if TYPE_CHECKING:
    from alignrec_geo.training.config import TrainingConfig
    from alignrec_geo.training.loop import FitResult, fit

__all__ = ["FitResult", "TrainingConfig", "fit"]

__getattr__, __dir__ = lazy_names(__name__, {"FitResult": "loop", "TrainingConfig": "config", "fit": "loop"})
