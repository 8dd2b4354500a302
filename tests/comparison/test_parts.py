"""Small parts of a comparison: how runs and processes end, and what a study says of its own faults."""

import errno
import json
import os
from types import SimpleNamespace

import pytest

from alignrec_geo.comparison import schedule, worker
from alignrec_geo.comparison.layout import Layout
from alignrec_geo.comparison.process import _reason
from alignrec_geo.comparison.pruning import mark_pruned
from alignrec_geo.comparison.request import _own_axis
from alignrec_geo.comparison.run import COST, RESULT, Run, is_over, validated
from alignrec_geo.comparison.schedule import Scheduler
from alignrec_geo.comparison.status import ModelStatus, StatusReader
from alignrec_geo.comparison.study import TrialLog
from alignrec_geo.errors import InputError
from alignrec_geo.training.run_config import RunConfig


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (3, "the process ended with exit code 3"),
        (-9, "the process was ended by SIGKILL (often: out of memory)"),
        (-15, "the process was ended by SIGTERM"),
    ],
)
def test_why_a_process_ended(code, words):
    assert _reason(code) == words


def test_a_worker_ends_when_its_parent_is_gone(monkeypatch):
    said = iter([b"x", b"x", b""])  # the last one: the pipe is closed
    codes = []
    monkeypatch.setattr(worker.os, "read", lambda descriptor, count: next(said))
    monkeypatch.setattr(worker.os, "_exit", codes.append)
    worker._end_with_parent()
    assert codes == [worker.ORPHANED]
    assert next(said, None) is None


def test_a_study_passes_on_what_the_machine_lacks(tmp_path):
    log = TrialLog(Layout(tmp_path), "bpr", {})
    for error, kind in (
        (OSError(errno.ENOSPC, "No space left on device"), OSError),
        (InputError("as it is"), InputError),
    ):
        with pytest.raises(kind) as raised, log._readable():
            raise error
        assert raised.value is error
    with pytest.raises(InputError, match="not a readable Optuna study, or damaged"), log._readable():
        raise KeyError("trial")
    log.close()


def test_a_run_that_is_prepared_again_stays_as_it_is(tmp_path):
    run = Run("bpr", "seed 1", tmp_path / "run", RunConfig.resolve({"dataset": "data", "model": "bpr"}), True)
    run.prepare()
    before = (tmp_path / "run" / "config.yaml").stat()
    run.prepare()
    after = (tmp_path / "run" / "config.yaml").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    moved = Run("bpr", "seed 1", run.folder, run.config.model_copy(update={"dataset": "elsewhere"}), True)
    moved.prepare()
    assert RunConfig.load(run.folder / "config.yaml").dataset == "elsewhere"


def test_a_result_without_the_metric_that_chooses_is_named(tmp_path):
    result = {"metrics": {}, "validation": {"recall@20": 0.25}, "best_epoch": 0, "epochs": 1, "seconds": 1.0}
    (tmp_path / RESULT).write_text(json.dumps(result))
    cost = {"seconds": 1.0, "peak_memory_mb": None, "seconds_per_epoch": None, "seconds_to_best": None, "parameters": 1}
    (tmp_path / COST).write_text(json.dumps(cost))
    assert validated(tmp_path, "recall@20") == 0.25
    with pytest.raises(InputError, match=r"result\.json: has no validation ndcg@20"):
        validated(tmp_path, "ndcg@20")


def test_values_of_a_search_are_plain():
    assert _own_axis("layers", [1, 2, 3], 2) == [2, 1, 3]
    with pytest.raises(InputError, match=r"a search space holds numbers, texts and truth values \(layers: got \[1\]\)"):
        _own_axis("layers", [1, [1]], 1)


def test_pruned_trials_are_counted(tmp_path):
    mark_pruned(tmp_path, 3, 0.1)
    reader = StatusReader(SimpleNamespace(models={"bpr": SimpleNamespace(training={"metric": "recall@20"})}), None)
    status = ModelStatus("bpr", trials_planned=1, seeds_planned=0)
    assert reader._add(status, "trial 0", tmp_path)
    assert (status.pruned, status.failed, status.best) == (1, 0, None)


class Lock:
    """A lock whose owner was faster: the run has ended by the time that it is had."""

    def __init__(self, folder):
        folder.mkdir(parents=True)
        (folder / COST).write_text("{}")
        self.released = 0

    def release(self):
        self.released += 1


def test_a_run_that_ended_before_its_lock_was_ours_is_not_trained_again(tmp_path, monkeypatch):
    plan = SimpleNamespace(models={"bpr": None}, seeds=1, tuning=False)
    scheduler = Scheduler(plan, Layout(tmp_path), 1, None, lambda: None)
    choice = SimpleNamespace(trial=0, settings={})
    monkeypatch.setattr(schedule, "choice_of", lambda *given: choice)
    folder = Layout(tmp_path).seed("bpr", 1, 0)
    assert not scheduler._all_over()
    locks = []
    monkeypatch.setattr(schedule.Lock, "attempt", lambda path: locks.append(Lock(folder)) or locks[-1])
    assert scheduler._next_seed("bpr") is None
    assert locks[0].released == 1
    assert is_over(folder)
    assert scheduler._all_over()
    assert scheduler._next_seed("bpr") is None
    assert len(locks) == 1
    assert os.listdir(folder) == [COST]
