"""A run that goes on with new pairs, users and items, in a folder of its own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from alignrec_geo.dataset.extend import Extension, Rows, extended
from alignrec_geo.dataset.manifest import DATA_SET
from alignrec_geo.dataset.splits import SplitConfig
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.folders import folder_target
from alignrec_geo.models.base import Recommender
from alignrec_geo.models.stored import load
from alignrec_geo.observer import Observer
from alignrec_geo.serving.store import DATASET
from alignrec_geo.training.config import TrainingConfig
from alignrec_geo.training.configured import fit_config
from alignrec_geo.training.result import FitResult
from alignrec_geo.training.run_config import RunConfig
from alignrec_geo.training.run_files import CONFIG
from alignrec_geo.training.run_folder import RunFolder
from alignrec_geo.training.update_defaults import EPOCHS, KEEP
from alignrec_geo.training.warm_start import check_keep, warm_start


@dataclass(frozen=True)
class Update:
    """What an update ended with.

    Args:
        result: of the training.
        extension: the new data set, and what it has more than the old one.
        config: the settings of the new run.
        model: with the parameters of the chosen epoch.
    """

    result: FitResult
    extension: Extension
    config: RunConfig
    model: Recommender


def data_set_of(run: Path, config: RunConfig, moved: Path | None = None) -> Dataset:
    """Open the data set that a run was trained on, with its content.

    Args:
        run: the run folder.
        config: its settings.
        moved: where the data set is, if it was moved.

    Raises:
        InputError: it is not there, or holds other pairs than the run was trained on.
    """
    path = config.dataset if moved is None else moved
    if path is None or not Path(path).is_dir():
        raise InputError(f"{run}: its data set is not there ({path}); if it was moved, pass dataset=…")
    data = Dataset.open(path)
    trained = data.with_split(SplitConfig(rule="all-train")) if config.refit else data
    if trained.fingerprint() != Dataset.open(run / DATASET).fingerprint():
        raise InputError(f"{path}: not the data set that {run} was trained on: its items, users or split are others")
    return data


def update_run(
    run: Path,
    new: Dataset,
    out: Path,
    data_out: Path,
    *,
    dataset: Dataset | None = None,
    items: pl.DataFrame | None = None,
    rows: Mapping[str, Rows] | None = None,
    images: Mapping[str, Path] | None = None,
    training: TrainingConfig | None = None,
    keep: float = KEEP,
    overwrite: bool = False,
    trust: bool = False,
    observers: Observer | Iterable[Observer] = (),
) -> Update:
    """Train a run on with what has come since, from its parameters (:func:`~.warm_start.warm_start`).

    The run and its data set stay as they are. New pairs are trained on; what was held out stays held out, chooses the
    epoch and is what is tested. A refit has nothing held out and takes all epochs.

    Args:
        run: folder of the finished run.
        new: the new pairs; made with ``rule="all-train"``, all of them are training.
        out: folder of the new run.
        data_out: folder of the new data set.
        dataset: the data set of the run; where the run says that it is, if not given.
        items: content of new items, see :func:`~alignrec_geo.dataset.extend.extended`.
        rows: their rows of the feature matrices.
        images: files of their images, by id.
        training: settings of the training loop; those of the run with :data:`~.update_defaults.EPOCHS` epochs if not
            given.
        keep: share of the old parameters in the first ones, the rest are fresh values; 1 goes on from the old ones.
        overwrite: replace a run in ``out`` and a data set in ``data_out``.
        trust: run code (class paths of layers) that the run names.
        observers: told about every step and epoch.

    Raises:
        InputError: no finished run, its data set is not there, nothing is new, or a folder is taken.
        TrainingDiverged: the loss is not finite.
    """
    check_keep(keep)
    config = RunConfig.load(run / CONFIG, trust=True)  # load refuses code that is not trusted
    before = data_set_of(run, config) if dataset is None else dataset
    folder_target(data_out, DATA_SET, overwrite, [before.path, run])
    RunFolder(out).refuse_existing(False, overwrite, before.path)
    trained = load(run, before, trust)
    extension = extended(before, new, items, rows, images)
    replace(extension.dataset, name=data_out.resolve().name).save(data_out, overwrite)
    wanted = config.model_copy(
        update={
            "dataset": str(data_out.resolve()),
            "warm_start": str(run.resolve()),
            "warm_start_keep": keep,
            "training": config.training.model_copy(update={"epochs": EPOCHS}) if training is None else training,
        }
    )
    model, result = fit_config(
        wanted,
        out,
        overwrite=overwrite,
        observers=observers,
        begin=lambda new: warm_start(new, trained, keep),
    )
    return Update(result, extension, wanted, model)
