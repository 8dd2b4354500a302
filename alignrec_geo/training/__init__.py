"""The training loop, its settings, its checkpoints."""

from alignrec_geo.training.config import TrainingConfig
from alignrec_geo.training.loop import FitResult, fit

__all__ = ["FitResult", "TrainingConfig", "fit"]
