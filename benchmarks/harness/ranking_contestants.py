"""Contestants that rank: the package's, naive ones, and the bare product with ``torch.topk``."""

from collections.abc import Callable

import torch
from harness.contestant import Answer, Contestant, Setting, our_model, timed
from harness.naive import NaiveEvaluator, naive_twin

from alignrec_geo.dataset.interactions import Split
from alignrec_geo.evaluation import Evaluator, Protocol
from alignrec_geo.kernels.allocator import keep_freed_memory


def our_evaluation(setting: Setting) -> Callable[[], Answer]:
    """One forward, then all metrics of all users who have a validation item."""
    keep_freed_memory()
    model = our_model(setting.dataset, trainable=True)
    evaluator = Evaluator(setting.dataset.interactions, Split.VALIDATION, Protocol.MMREC)
    return lambda: timed(lambda: evaluator(model.embeddings()).metrics)


def naive_evaluation(setting: Setting) -> Callable[[], Answer]:
    """The same, naive."""
    model = naive_twin(our_model(setting.dataset, trainable=True))
    evaluator = NaiveEvaluator(setting.dataset.interactions, Split.VALIDATION)
    return lambda: timed(lambda: evaluator(model))


def our_ranking(setting: Setting) -> Callable[[], Answer]:
    """All metrics of all users from tables that are there."""
    keep_freed_memory()
    tables = our_model(setting.dataset, trainable=True).embeddings()
    evaluator = Evaluator(setting.dataset.interactions, Split.VALIDATION, Protocol.MMREC)
    return lambda: timed(lambda: evaluator(tables).metrics)


def our_top_k(setting: Setting) -> Callable[[], Answer]:
    """The best items of the same users, seen ones left out, without metrics."""
    keep_freed_memory()
    tables = our_model(setting.dataset, trainable=True).embeddings()
    evaluator = Evaluator(setting.dataset.interactions, Split.VALIDATION, Protocol.MMREC)
    return lambda: timed(lambda: list(evaluator.rank(tables)))


def bare_ranking(at_once: int) -> Contestant:
    """Nothing but the product in blocks of ``at_once`` scores and ``torch.topk``, into buffers that are there."""

    def make(setting: Setting) -> Callable[[], Answer]:
        keep_freed_memory()
        users, items = our_model(setting.dataset, trainable=True).embeddings()
        rows = Evaluator(setting.dataset.interactions, Split.VALIDATION, Protocol.MMREC).users
        block = max(1, at_once // len(items))
        scores = torch.empty(block, len(items))

        def rank() -> None:
            for chosen in rows.split(block):
                torch.mm(users[chosen], items.T, out=scores[: len(chosen)])
                scores[: len(chosen)].topk(50, dim=1)

        return lambda: timed(rank)

    return make
