"""The eager step of an older version of the package, in the same run: what a speed-up over it is measured against.

The older version is imported by a process of its own, ``older_step.py``, which gets graph and batches as a file.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from gpu_sections.setting import Emit, Setting, Turn, dataset_of, draw_batches, graph_of
from gpu_sections.steps import BATCHES

PROGRAM = Path(__file__).with_name("older_step.py")


def before(setting: Setting, turn: Turn, emit: Emit) -> None:
    """The step of every model in the version that lies in ``setting.before``."""
    if setting.before is None:
        turn()
        emit({"what": "older version", "note": "no folder given (--before)"})
        return
    dataset = dataset_of(setting, setting.shape)
    graph = graph_of(dataset)
    batches = draw_batches(dataset.interactions, setting.batch, BATCHES, "cpu", setting.seed)
    with tempfile.TemporaryDirectory() as folder:
        task = Path(folder) / "task.pt"
        columns = [tuple(batch)[:3] for batch in batches]
        torch.save({"graph": graph, "batches": columns, "models": list(setting.models), "seed": setting.seed}, task)
        turn()
        path = os.pathsep.join([str(setting.before.resolve()), *filter(None, [os.environ.get("PYTHONPATH")])])
        worker = subprocess.Popen(
            [sys.executable, str(PROGRAM), str(task), setting.device, str(setting.rounds)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
            cwd=folder,
        )
        assert worker.stdout is not None
        for line in worker.stdout:
            emit(json.loads(line))
        if worker.wait():
            raise RuntimeError(f"{PROGRAM.name} ended with exit code {worker.returncode}")
