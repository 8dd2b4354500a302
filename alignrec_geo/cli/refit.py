"""``train --refit``: chosen settings on the pairs of all splits, for use rather than for measuring."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from alignrec_geo.cli.output import stderr
from alignrec_geo.errors import InputError

if TYPE_CHECKING:
    from alignrec_geo.training.run_config import RunConfig


def settings_of(run: Path) -> dict[str, Any]:
    """The settings of a finished run, laid out like ``config.yaml``, with as many epochs as validation chose.

    Raises:
        InputError: no run, or one that has not ended.
    """
    from alignrec_geo.settings import read_yaml
    from alignrec_geo.training.run_config import ORIGIN
    from alignrec_geo.training.run_files import CONFIG
    from alignrec_geo.training.run_folder import RUN, RunFolder

    problem = RUN.problem(run) if run.is_dir() else "does not exist"
    if problem is not None:
        raise InputError(f"{run}: no run folder, it {problem}")
    folder = RunFolder(run)
    if not folder.result.exists():
        raise InputError(f"{run}: training has not ended; finish it with --resume, then refit")
    values = read_yaml(run / CONFIG)
    best = folder.read_result()["best_epoch"]
    if best >= 0:  # there was something to train
        values["training"] = {**(values.get("training") or {}), "epochs": best + 1}
    return {key: value for key, value in values.items() if key not in ("refit", *ORIGIN)}


def chosen_by_validation(config: "RunConfig") -> "RunConfig":
    """Train once with validation, keep nothing but the number of epochs, and return the settings of the refit."""
    from alignrec_geo.cli.progress import TrainingProgress
    from alignrec_geo.training.configured import fit_config

    stderr.print("first run: validation chooses the number of epochs", soft_wrap=True)
    with TrainingProgress(config.training.metric, config.training.epochs) as progress:
        result = fit_config(config, None, test=False, observers=[progress])[1]
    epochs = result.best_epoch + 1
    stderr.print(f"second run: {epochs} epochs on the pairs of all splits", soft_wrap=True)
    return refitted(config, max(epochs, 1))


def refitted(config: "RunConfig", epochs: int | None = None) -> "RunConfig":
    """The refit of a configuration; ``epochs`` are those of the configuration if not given."""
    # a copy with `update` says that epochs was given, which a run that nothing is held out for needs
    training = config.training.model_copy(update={"epochs": config.training.epochs if epochs is None else epochs})
    return config.model_copy(update={"refit": True, "training": training})
