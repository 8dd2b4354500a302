"""The whole path of a training run, from its arguments to the tested model."""

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from alignrec_geo.checkpoint import load_trainable, trainable_state
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.distributed import current
from alignrec_geo.distributed.group import using
from alignrec_geo.distributed.whole import gather_model
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.evaluation.metrics import (
    ALWAYS,
    CUTOFFS,
    DEFAULT,
    choose_metrics,
    listed_metrics,
    require_content,
)
from alignrec_geo.evaluation.protocols import Protocol
from alignrec_geo.kernels.allocator import keep_freed_memory
from alignrec_geo.kernels.backends import check_backends, use_backends
from alignrec_geo.kernels.config import KernelConfig
from alignrec_geo.kernels.matmul import use_matmul
from alignrec_geo.memory import enough_memory
from alignrec_geo.models.base import Recommender
from alignrec_geo.models.graph_model import GraphRecommender
from alignrec_geo.models.held_out import HeldOut
from alignrec_geo.observer import Observer, start_observers
from alignrec_geo.randomness import child_generator
from alignrec_geo.training.apart import check_apart
from alignrec_geo.training.arguments import (
    evaluator_of,
    has_parameters,
    listening_observers,
    resolved_settings,
    training_data,
)
from alignrec_geo.training.config import TrainingConfig
from alignrec_geo.training.following_folder import FollowingFolder
from alignrec_geo.training.precision import check_precision
from alignrec_geo.training.result import LAST_EPOCH, REFIT, UNTRAINED, VALIDATION, FitResult, write_result
from alignrec_geo.training.run import Run
from alignrec_geo.training.run_config import RunConfig
from alignrec_geo.training.run_facts import facts_of
from alignrec_geo.training.run_folder import RunFolder
from alignrec_geo.training.sampled.check import check_sampled, with_subgraphs
from alignrec_geo.training.sampling import TripletSampler
from alignrec_geo.training.tracked import Tracking

if TYPE_CHECKING:
    from alignrec_geo.models.on_subgraph import SampledModel
    from alignrec_geo.training.sampled.made import SampledTraining

__all__ = ["FitResult", "fit"]


def fit(
    model: Recommender,
    dataset: Dataset | None = None,
    config: TrainingConfig | Mapping[str, Any] | None = None,
    *,
    kernels: KernelConfig | Mapping[str, Any] | None = None,
    protocol: Protocol | str = Protocol.CLEAN,
    seed: int = 0,
    out: str | PathLike[str] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    test: bool = True,
    metrics: Any = None,
    observers: Observer | Iterable[Observer] = (),
    warm_start: str | None = None,
    warm_start_keep: float = 1.0,
    slim: bool = False,
) -> FitResult:
    """Train a model, choose the epoch by validation, and test that epoch once.

    The model ends with the parameters of the chosen epoch. Where the validation split holds nobody with a training
    interaction, ``epochs`` must be set: so many are trained, and the last one is chosen.

    In a block of :func:`~alignrec_geo.distributed.join.joined` many processes train together, each the same columns of
    all tables; the first one writes ``out``, tells ``observers``, and ends with the whole model and tables, the others
    with their columns. Use the model after the block.

    Args:
        model: any :class:`~alignrec_geo.models.Recommender`.
        dataset: what to train on; by default the data set the model was made for.
        config: settings, as an object or a dictionary of those that are not the model's defaults.
        kernels: which backend runs each operation; ``None`` takes the best for the device.
        protocol: ``clean`` or ``mmrec`` (see :class:`~alignrec_geo.evaluation.Protocol`).
        seed: seed of shuffling, negatives and the model's own draws.
        out: run folder to write (see :class:`~alignrec_geo.training.run_folder.RunFolder`); ``None`` writes nothing.
        resume: continue the run in ``out`` from its last finished epoch, bit for bit on the same CPU and thread count.
        overwrite: replace a run in ``out``, once everything has been checked.
        test: rank the test split at the end; without it nothing of that split is looked at.
        metrics: what the test measures, names or :class:`~alignrec_geo.evaluation.metrics.Metric` objects, beside
            Recall and NDCG; ``None`` takes those of ``config``.
        observers: told about every step and epoch.
        warm_start: run folder whose parameters the model was given (see
            :func:`~alignrec_geo.training.warm_start.warm_start`); it is noted in the settings of the run.
        warm_start_keep: share of them that was kept, likewise.
        slim: when training has ended, drop the optimiser's state from ``out``: the run is smaller, and not resumed.

    Raises:
        InputError: an argument is of a wrong kind, the data set cannot be trained on, early stopping has nobody to
            validate on, ``out`` cannot be written or continued, or memory ran out.
        TrainingDiverged: a loss term became NaN or infinite; names the epoch and the term.

    Example:
        >>> from alignrec_geo.dataset import make_catalogue
        >>> from alignrec_geo.models import AlignRec
        >>> data = make_catalogue(n_users=60, n_items=40, image_size=16)
        >>> result = fit(AlignRec.from_dataset(data), config=TrainingConfig(epochs=2))
        >>> result.epochs
        2
    """
    data = training_data(model, dataset)
    settings = resolved_settings(TrainingConfig, config, model.config.training_defaults)
    backends = resolved_settings(KernelConfig, kernels)
    listening = listening_observers(observers)
    child_generator(seed, "sampling")  # refuses what is no seed before anything is written
    trial = Protocol.parse(protocol)
    group = current()
    device = settings.torch_device() if group is None else group.place(settings.torch_device())
    first = group is None or group.is_first
    if group is not None:
        check_apart(model, data, settings, group.size)
    ranks = 1 if group is None else group.size
    check_sampled(type(model), model.config, settings, ranks, bool(model.features))
    settings = with_subgraphs(settings, ranks)
    with use_backends(**backends.model_dump()):
        check_backends(device)
    check_precision(settings.precision, device)
    if out is not None and not isinstance(out, str | PathLike):
        raise InputError(f"out takes the path of a folder (got {out!r:.80})")
    if resume and out is None:
        raise InputError("resume continues the run in a folder; name it with out=")
    sampler = TripletSampler(data.interactions, settings.batch_size, device)
    measured = [*ALWAYS, *listed_metrics(settings.metrics if metrics is None else metrics)]
    require_content(data, choose_metrics([*measured, settings.metric], CUTOFFS))
    validate = evaluator_of(data, Split.VALIDATION, trial, [*DEFAULT, settings.metric])
    if validate is None and has_parameters(model) and "epochs" not in settings.model_fields_set:
        raise InputError(
            f"the validation split of data set '{data.name}' has no user with a training interaction, so nothing can "
            "choose the epoch; set the number of epochs (training.epochs) to train so many and take the last, or use "
            "another split"
        )
    folder = None if out is None else (RunFolder if first else FollowingFolder)(Path(out))
    wanted = RunConfig.of(model, data, settings, backends, trial, seed, warm_start, warm_start_keep)
    opened = nullcontext() if folder is None else folder.writing(data, wanted, resume, overwrite)
    tracking = Tracking(settings.log_to if first else (), folder)
    listening = listening if first else []
    keep_freed_memory()
    model.to(device)
    with (
        opened,
        use_backends(**backends.model_dump()),
        use_matmul(device),
        enough_memory("training"),
        tracking.of(wanted, data.name, resume),
    ):
        sampled: SampledTraining | None = None
        if settings.num_neighbors is not None:
            from alignrec_geo.training.sampled.made import sampled_training  # PyG's loaders: only where they are used

            sampled = sampled_training(cast("SampledModel", model), settings, sampler)
        told = [*listening, tracking]
        held_out = HeldOut(model, data)
        run = Run(model, settings, held_out, sampler, validate, folder, told, seed, sampled)
        if group is not None:
            group.wait()  # the first rank has put the folder in order
        if folder is not None:
            run.prepare_folder(folder, resume)
            if run.should_continue():
                folder.reopen()
        start_observers(listening, facts_of(model, data, wanted, held_out))
        model.train()
        while run.should_continue():
            run.epoch()
        load_trainable(model, run.best)
        there = held_out.tables(model)  # ranked where they are
        tester = evaluator_of(data, Split.TEST, trial, measured) if test else None
        tested = None if tester is None else tester(there)
        validation = {} if validate is None else validate(there).metrics
        whole = group is None or gather_model(group, model)
        with using(None if whole else group):  # of many ranks the first goes on alone
            if whole and group is not None:
                there = held_out.tables(model)
            result = FitResult(
                metrics={} if tested is None else tested.metrics,
                validation=validation,
                best_epoch=run.state.best_epoch,
                epochs=run.state.epochs_done,
                seconds=run.state.seconds,
                embeddings=Embeddings(*(table.cpu() for table in there)),
                test=tested,
                chosen_by=_chooser(run, wanted.refit),
            )
            if folder is not None and whole:
                validated = 0 if validate is None else len(validate.users)
                known = isinstance(model, GraphRecommender) or model.dataset is not None  # by which pairs
                folding = model.folding() if known else None
                write_result(folder, result, trial, data, trainable_state(model), validated, folding, model)
                if slim:
                    folder.drop_state()
        tracking.ended(result)
    return result


def _chooser(run: Run, refit: bool) -> str:
    """What chose the epoch that a run ends with."""
    if run.optimizer is None:
        return UNTRAINED
    if run.validate is not None:
        return VALIDATION
    return REFIT if refit else LAST_EPOCH
