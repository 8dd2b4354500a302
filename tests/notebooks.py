"""Runs the notebooks of ``examples/`` without Jupyter: the code cells one after another in one namespace.

``python -m tests.notebooks`` runs them and stores what they print and show.
"""

import ast
import io
import json
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "examples"


def notebooks() -> list[Path]:
    """All of them."""
    return sorted(FOLDER.glob("*.ipynb"))


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    """The cells that hold code."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def run_cell(source: str, name: str, scope: dict[str, Any]) -> list[dict[str, Any]]:
    """Run a cell; returns its outputs as a notebook stores them: what was printed, then the value of the last line."""
    body = ast.parse(source, name).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with redirect_stdout(printed):
        exec(compile(ast.Module(body, []), name, "exec"), scope)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), name, "eval"), scope)
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        outputs.append({"name": "stdout", "output_type": "stream", "text": lines(printed.getvalue())})
    if value is not None:
        data = {"text/plain": lines(repr(value))}
        if hasattr(value, "_repr_html_"):
            data["text/html"] = lines(value._repr_html_())
        outputs.append({"data": data, "execution_count": None, "metadata": {}, "output_type": "execute_result"})
    return outputs


def lines(text: str) -> list[str]:
    """A text as notebooks store it."""
    return text.splitlines(keepends=True)


def run(notebook: dict[str, Any], name: str) -> list[list[dict[str, Any]]]:
    """Run a notebook in the current folder; the outputs of every code cell."""
    scope: dict[str, Any] = {"__name__": "__main__"}
    cells = enumerate(code_cells(notebook), start=1)
    return [run_cell("".join(cell["source"]), f"{name}, cell {number}", scope) for number, cell in cells]


def store(path: Path) -> None:
    """Run a notebook in an empty folder and store its outputs in it."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    here = Path.cwd()
    with TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            made = run(notebook, path.stem)
        finally:
            os.chdir(here)
    for number, (cell, outputs) in enumerate(zip(code_cells(notebook), made, strict=True), start=1):
        for output in outputs:
            if output["output_type"] == "execute_result":
                output["execution_count"] = number
        cell.update(execution_count=number, outputs=outputs)
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    for path in [Path(name).resolve() for name in sys.argv[1:]] or notebooks():
        store(path)
