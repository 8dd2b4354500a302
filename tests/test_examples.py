"""The notebooks of ``examples/`` run from top to bottom, and show what they are stored with."""

import json

import pytest

from tests.in_this_process import runs_in_this_process
from tests.notebooks import FOLDER, code_cells, notebooks, run

pytestmark = pytest.mark.first


def test_there_are_four():
    assert [path.stem for path in notebooks()] == ["compare_models", "own_features", "own_table", "swap_a_layer"]
    page = (FOLDER / "README.md").read_text()
    assert all(f"({path.name})" in page for path in notebooks())


QUICK = ("own_table",)
"""What runs with every change; the others are the longer checks."""


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=[] if path.stem in QUICK else pytest.mark.slow, id=path.stem) for path in notebooks()],
)
def test_they_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    with runs_in_this_process():
        shown = list(run(notebook, path.stem))
    for cell, outputs in zip(code_cells(notebook), shown, strict=True):
        stored = [output["output_type"] for output in cell["outputs"]]
        assert stored == [output["output_type"] for output in outputs], "python -m tests.notebooks stores the outputs"
    assert any(cell["outputs"] for cell in code_cells(notebook))
