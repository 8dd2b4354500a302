"""What ``training.log_to`` may name, and whether it is installed."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from alignrec_geo.errors import InputError
from alignrec_geo.training.tracking.tracker import Tracker

TENSORBOARD, MLFLOW, WANDB = TRACKERS = ("tensorboard", "mlflow", "wandb")


def known_trackers(value: object) -> object:
    """A setting as a list of names: one text with commas, ``none``, or a truth value (which was about TensorBoard).

    Raises:
        ValueError: a name is none of :data:`TRACKERS`, or stands there twice.

    Example:
        >>> known_trackers("mlflow, wandb"), known_trackers("none"), known_trackers(True)
        (['mlflow', 'wandb'], [], ['tensorboard'])
    """
    if isinstance(value, bool):
        return [TENSORBOARD] if value else []
    if isinstance(value, str):
        value = [] if value == "none" else [part.strip() for part in value.split(",")]
    if isinstance(value, list | tuple):
        strange = [part for part in value if part not in TRACKERS]
        if strange:
            raise ValueError(f"takes {', '.join(TRACKERS)}, or none (not {str(strange[0])!r:.80})")
        if len(set(value)) < len(value):
            raise ValueError("names one of them twice")
    return value


def trackers(names: Sequence[str], folder: Callable[[], Path] | None) -> list[Tracker]:
    """Make the trackers that a run is logged to; nothing is written or connected yet.

    Args:
        names: of :data:`TRACKERS`. TensorBoard is the default: where it is not installed, nothing is said.
        folder: gives the run folder; ``None`` without one, which leaves TensorBoard out.

    Raises:
        InputError: MLflow or Weights & Biases is not installed.
    """
    made: list[Tracker] = []
    for name in names:
        if find_spec(name) is None:
            if name != TENSORBOARD:
                raise InputError(f"log_to '{name}': not installed; install it with: pip install 'alignrec-geo[{name}]'")
        elif name == MLFLOW:
            from alignrec_geo.training.tracking.mlflow import MLflow

            made.append(MLflow())
        elif name == WANDB:
            from alignrec_geo.training.tracking.wandb import WandB

            made.append(WandB())
        elif folder is not None:
            from alignrec_geo.training.tracking.tensorboard import TensorBoard

            made.append(TensorBoard(folder))
    return made
