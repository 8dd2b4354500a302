import os
import sys

import pytest
from harness.contestants import CONTESTANTS, start
from harness.workers import BENCHMARKS, Worker, memory


def program(body: str) -> list[str]:
    return [
        sys.executable,
        "-c",
        f"import sys; sys.path.append({str(BENCHMARKS)!r})\nfrom harness.workers import serve\n{body}",
    ]


def test_a_worker_runs_when_told_and_its_prints_do_not_disturb():
    body = "def make():\n    print('noise')\n    return lambda: print('more') or 0.25\nserve(make, {'who': 'toy'})"
    with Worker(program(body)) as worker:
        assert worker.about == {"who": "toy"}
        assert [worker.run(), worker.run()] == [0.25, 0.25]
    assert len(worker.answers) == 2
    assert 0 < worker.answers[0]["peak_memory_gb"] < 1
    assert worker.process.returncode == 0


def test_more_than_seconds_may_be_answered():
    with Worker(program("serve(lambda: lambda: {'seconds': 1.5, 'steps': 3})")) as worker:
        assert worker.run() == 1.5
    assert worker.answers[0]["steps"] == 3


def test_a_worker_that_fails_is_an_error(tmp_path):
    with (tmp_path / "log").open("w") as log, pytest.raises(RuntimeError, match="exit code 1"):
        Worker(program("raise ImportError('no such library')"), stderr=log)
    assert "no such library" in (tmp_path / "log").read_text()


def test_memory_now_is_at_most_the_peak():
    assert 0 < memory("VmRSS") <= memory("VmHWM")


@pytest.mark.slow
def test_a_contestant_trains():
    assert {"step-ours-trainable", "step-naive-trainable"} <= CONTESTANTS.keys()
    options = ["--shape", "quick", "--batch", "256", "--steps", "1"]
    worker = start(["epoch-naive-frozen"], options, dict(os.environ))["epoch-naive-frozen"]
    with worker:
        assert worker.run() > 0
    assert worker.answers[0]["steps_measured"] == worker.answers[0]["steps"] == 10
