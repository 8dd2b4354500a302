"""``benchmarks/gpu.py`` on a CPU: that every section runs, and that one that fails does not lose the others."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from gpu_sections import older_step
from gpu_sections.busy import union
from gpu_sections.isolate import Isolated, run_together
from gpu_sections.setting import Setting, draw_batches, graph_of
from gpu_sections.table import render
from harness.shapes import SHAPES, make_dataset
from pages.gpu_section import before_and_now, gpu_section

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


SECTIONS = "parity,repeats,device,steps,epochs,models,operations,busy,10m,data"


@pytest.mark.slow
def test_every_section_runs_on_a_cpu(tmp_path):
    command = [sys.executable, str(BENCHMARKS / "gpu.py"), "--device", "cpu", "--quick", "--out", str(tmp_path)]
    command += ["--models", "lightgcn,popularity", "--sections", SECTIONS]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr + done.stdout
    result = json.loads((tmp_path / "gpu.json").read_text())
    sections = result["sections"]
    assert not {name: part for name, part in sections.items() if "error" in part}
    rows = {name: {row["what"]: row for row in part["rows"]} for name, part in sections.items()}
    assert [row["ok"] for row in rows["parity"].values()] == [True] * 2
    assert [row["ok"] for row in rows["repeats"].values()] == [True] * 2
    lightgcn = rows["parity"]["lightgcn"]
    assert lightgcn["gradient"] == lightgcn["gradient_in_float32_on_cpu"] < 1e-5
    for kind in ("trainable", "frozen"):
        row = rows["steps"][f"AlignRec step, {kind} features"]
        assert row["difference_from_naive"] < 1e-4
        assert row["seconds"].keys() == {"naive", "eager", "captured"}
        assert row["limit_ratio"] > 1
    assert rows["models"].keys() == {"lightgcn"}
    assert rows["operations"]["spmm"]["difference"]["torch"] < 1e-4
    assert [row["edges"] for row in rows["10m"].values()] == [sections["10m"]["rows"][0]["edges"]] * 2
    page = gpu_section(result)
    assert "2 of 2 models equal in every bit" in page
    assert "| lightgcn |" in page
    assert "FAILED" not in done.stdout


def test_an_older_version_is_timed_on_the_same_graph(tmp_path, capsys):
    dataset = make_dataset(SHAPES["quick"])
    batches = [tuple(batch)[:3] for batch in draw_batches(dataset.interactions, 64, 2, "cpu")]
    task = {"graph": graph_of(dataset), "batches": batches, "models": ["alignrec", "popularity", "bpr"], "seed": 0}
    torch.save(task, tmp_path / "task.pt")
    older_step.main(str(tmp_path / "task.pt"), "cpu", 1)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["what"] for row in rows] == ["alignrec", "alignrec, frozen features", "bpr"]
    assert all(row["seconds"] > 0 for row in rows)
    models = [{"what": "bpr", "seconds": {"eager": {"median": 2e-3}, "captured": {"median": 1e-3}}}]
    result = {"sections": {"before": {"rows": rows}, "models": {"rows": models}}}
    assert before_and_now(result) == {"bpr": (rows[2]["seconds"], 1e-3)}


def measured(setting, turn, emit):
    turn()
    emit({"what": "first", "seconds": 2.0})


def broken(setting, turn, emit):
    turn()
    emit({"what": "first", "seconds": 2.0})
    raise ZeroDivisionError("no\nmore")


def killed(setting, turn, emit):
    turn()
    os._exit(7)


def hanging(setting, turn, emit):
    turn()
    emit({"what": "first", "seconds": 2.0})
    time.sleep(60)


def failing_early(setting, turn, emit):
    raise ValueError("no data")


@pytest.mark.parametrize(
    ("section", "rows", "error"),
    [
        (measured, 1, None),
        (broken, 1, "ZeroDivisionError: no (broken, line "),
        (killed, 0, "the process ended with exit code 7"),
        (hanging, 1, "cut off after 1 s"),
        (failing_early, 0, "ValueError: no data (failing_early, line "),
    ],
)
def test_a_section_that_fails_keeps_its_rows_and_the_others(section, rows, error):
    stored, setting = [], Setting(device="cpu")
    sections = [Isolated("good", measured, setting), Isolated("tried", section, setting)]
    run_together(sections, 1.0, lambda: stored.append([len(part.outcome.rows) for part in sections]))
    assert len(sections[0].outcome.rows) == 1
    assert sections[0].outcome.error is None
    assert len(sections[1].outcome.rows) == rows
    assert (sections[1].outcome.error or "").startswith(error or "")
    assert (sections[1].outcome.error is None) == (error is None)
    assert stored[-1] == [1, rows]


def test_spans_that_overlap_count_once():
    assert union([]) == 0.0
    assert union([(5.0, 6.0), (0.0, 2.0), (1.0, 3.0), (1.0, 1.5)]) == 4.0


def test_the_table_names_what_failed():
    row = {"what": "mgcn", "ok": False, "loss": 0.5, "gradient": 0.1, "tables": None, "worst": "gradient of w"}
    result = {
        "device": "H",
        "command": "gpu.py",
        "seconds": 3.0,
        "sections": {"parity": {"seconds": 1.0, "rows": [row]}},
    }
    assert "NOT OK  loss 5.0e-01  gradient 1.0e-01  (gradient of w)" in render(result)
    result["sections"]["parity"]["error"] = "RuntimeError: gone"
    assert "FAILED: RuntimeError: gone" in render(result)
