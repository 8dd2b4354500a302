"""The notebooks of ``examples/`` run from top to bottom, and show what they are stored with."""

import json

import pytest

from alignrec_geo.comparison import schedule
from alignrec_geo.comparison.worker import train_run
from tests.notebooks import FOLDER, code_cells, notebooks, run


def test_there_are_four():
    assert [path.stem for path in notebooks()] == ["compare_models", "own_features", "own_table", "swap_a_layer"]
    page = (FOLDER / "README.md").read_text()
    assert all(f"({path.name})" in page for path in notebooks())


class InThisProcess:
    """A run of a comparison without a process of its own, which would spend most of its time on imports."""

    def __init__(self, run, lock, threads, again=False):
        run.prepare()
        self.run, self.lock = run, lock
        train_run(run.folder, run.test, trust=True)

    def ended(self):
        return True


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_they_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(schedule, "RunProcess", InThisProcess)
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    for cell, outputs in zip(code_cells(notebook), run(notebook, path.stem), strict=True):
        stored = [output["output_type"] for output in cell["outputs"]]
        assert stored == [output["output_type"] for output in outputs], "python -m tests.notebooks stores the outputs"
    assert any(cell["outputs"] for cell in code_cells(notebook))
