"""An epoch of the training loop with its validation: against the naive loop, and of every model on real data."""

import time
from collections.abc import Mapping
from statistics import median
from typing import Any

import torch
from harness.contestant import step, trained
from harness.measure import Timing, synchronize
from harness.naive import NaiveAlignRec, NaiveEvaluator, NaiveSampler

from alignrec_geo.dataset import Dataset
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.evaluation import Evaluator, Protocol
from alignrec_geo.models import Recommender
from alignrec_geo.observer import Observer
from alignrec_geo.training import TrainingConfig, fit
from gpu_sections.clock import peak_gb, reset_peak
from gpu_sections.setting import Emit, Setting, Turn, alignrec, build, dataset_of, graph_of, is_learned, naive
from gpu_sections.steps import KINDS, one_line

METRIC = "recall@20"


class Epochs(Observer):
    """Keeps what is recorded of every epoch."""

    def __init__(self) -> None:
        self.records: list[Mapping[str, Any]] = []

    def epoch_done(self, record: Mapping[str, Any]) -> None:
        """An epoch was trained and validated."""
        self.records.append(record)

    @property
    def seconds(self) -> list[float]:
        """Of every epoch, its validation included."""
        return [float(record["seconds"]) for record in self.records]


def epochs_against_naive(setting: Setting, turn: Turn, emit: Emit) -> None:
    """An epoch with one validation, ours and naive in turns; the first of ours, which captures, is given apart."""
    dataset = dataset_of(setting, setting.shape)
    graph = graph_of(dataset)
    models = {kind: alignrec(graph, kind == "trainable", setting.seed) for kind in KINDS}
    twins = {kind: naive(model, "cpu") for kind, model in models.items()}
    sampler = NaiveSampler(dataset.interactions, setting.batch)
    evaluator = NaiveEvaluator(dataset.interactions, Split.VALIDATION)
    turn()
    for kind, model in models.items():
        twin = twins[kind].to(setting.device)
        ours, theirs, first = [], [], []
        reset_peak(setting.device)
        for _ in range(2):
            seconds = our_epochs(model, dataset, setting, epochs=2 if setting.quick else 4)
            first.append(seconds[0])
            ours += seconds[1:]
            peak = peak_gb(setting.device)
            theirs.append(naive_epoch(twin, sampler, evaluator, setting.device))
        times = {"ours": Timing.of(ours), "naive": Timing.of(theirs)}
        emit(
            {
                "what": f"epoch with validation, {kind} features",
                "seconds": {name: timing.as_json() for name, timing in times.items()},
                "first_seconds": min(first),
                "ratio": times["naive"].median / times["ours"].median,
                "peak_gb": peak,
            }
        )


def our_epochs(model: Recommender, dataset: Dataset, setting: Setting, epochs: int) -> list[float]:
    """Seconds of epochs of the package's loop."""
    watching = Epochs()
    config = TrainingConfig(epochs=epochs, batch_size=setting.batch, device=setting.device)
    fit(model, dataset, config, protocol=Protocol.MMREC, seed=setting.seed, test=False, observers=[watching])
    return watching.seconds


def naive_epoch(model: NaiveAlignRec, sampler: NaiveSampler, evaluator: NaiveEvaluator, device: str) -> float:
    """Seconds of one epoch of the naive loop with its validation."""
    optimizer = torch.optim.Adam(trained(model), lr=1e-3)
    synchronize()
    started = time.perf_counter()
    for batch in sampler.epoch():
        step(model, optimizer, model.loss(batch.to(torch.device(device))))
    evaluator(model)
    synchronize()
    return time.perf_counter() - started


def real_data(setting: Setting, turn: Turn, emit: Emit) -> None:
    """Every model on an imported data set: seconds per epoch with validation, and the quality it reaches."""
    if setting.data is None:
        turn()
        emit({"what": "real data", "note": "no folder given (--data)"})
        return
    dataset = Dataset.open(setting.data)
    models = {name: build(name, dataset, setting.seed) for name in setting.models}
    turn()
    evaluator = Evaluator(dataset.interactions, Split.VALIDATION, Protocol.MMREC)
    for name in list(models):
        model = models.pop(name)  # its memory is not that of the next one
        try:
            emit({"what": name, "data": dataset.name, **_trained(model, dataset, evaluator, setting)})
        except Exception as error:
            emit({"what": name, "data": dataset.name, "failed": one_line(error)})


def _trained(model: Recommender, dataset: Dataset, evaluator: Evaluator, setting: Setting) -> dict[str, Any]:
    if not is_learned(model):
        return {METRIC: evaluator(model.embeddings()).metrics[METRIC]}
    watching = Epochs()
    reset_peak(setting.device)
    settings = {"epochs": setting.epochs, "device": setting.device, "patience": setting.epochs}
    config = TrainingConfig(**{**model.config.training_defaults, **settings})
    result = fit(model, dataset, config, protocol=Protocol.MMREC, seed=setting.seed, test=False, observers=[watching])
    later = watching.seconds[1:] or watching.seconds
    return {
        "epochs": result.epochs,
        "seconds": {"first": watching.seconds[0], "median": median(later), "all": sum(watching.seconds)},
        METRIC: max(record["validation"][METRIC] for record in watching.records if "validation" in record),
        "peak_gb": peak_gb(setting.device),
    }
