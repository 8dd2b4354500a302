"""A training run from its settings alone."""

from collections.abc import Callable, Iterable
from pathlib import Path

from alignrec_geo.dataset.splits import SplitConfig
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.models import Recommender, find_model
from alignrec_geo.observer import Observer
from alignrec_geo.training.loop import fit
from alignrec_geo.training.result import FitResult
from alignrec_geo.training.run_config import RunConfig


def fit_config(
    config: RunConfig,
    out: Path | None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    test: bool = True,
    observers: Observer | Iterable[Observer] = (),
    begin: Callable[[Recommender], object] | None = None,
    slim: bool = False,
) -> tuple[Recommender, FitResult]:
    """Open the data set, build the model that the settings describe, and train it.

    Args:
        config: the settings; ``dataset`` is a folder. With ``refit`` the pairs of all splits are trained on.
        out: the run folder; ``None`` writes nothing.
        resume: see :func:`~alignrec_geo.training.loop.fit`.
        overwrite: likewise.
        test: likewise.
        observers: likewise.
        begin: called with the new model before it is trained, to give it other parameters.
        slim: see :func:`~alignrec_geo.training.loop.fit`.

    Returns:
        The model with the parameters of the chosen epoch, and the result.

    Raises:
        InputError: the data set cannot be opened, lacks a feature, or ``out`` cannot be used.
        TrainingDiverged: the loss is not finite.
    """
    data = data_set_for(config)
    model = find_model(config.model).from_dataset(data, config.features, config.parameters, config.seed)
    if begin is not None:
        begin(model)
    result = fit(
        model,
        data,
        config.training,
        kernels=config.kernels,
        protocol=config.protocol,
        seed=config.seed,
        out=out,
        resume=resume,
        overwrite=overwrite,
        test=test,
        observers=observers,
        warm_start=config.warm_start,
        warm_start_keep=config.warm_start_keep,
        slim=slim,
    )
    return model, result


def data_set_for(config: RunConfig) -> Dataset:
    """Open the data set of a run; for a refit the pairs of all splits are training.

    Raises:
        InputError: it cannot be opened.
    """
    data = Dataset.open(str(config.dataset))
    return data.with_split(SplitConfig(rule="all-train")) if config.refit else data
