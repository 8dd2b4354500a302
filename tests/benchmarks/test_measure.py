import json

import pytest
import torch
from harness import data_sets
from harness.machine import RESULTS
from harness.measure import Measured, PeakMemory, Rates, Timing, command, interleave, report, results_folder
from harness.program import called_as


def test_contestants_take_turns_and_the_warmup_does_not_count():
    order, given = [], iter([9.0, 9.0, 1.0, 20.0, 3.0, 40.0, 2.0, 30.0])

    def contestant(name):
        def call():
            order.append(name)
            return Measured(next(given))

        return call

    times = interleave({"ours": contestant("ours"), "naive": contestant("naive")}, rounds=3)
    assert order == ["ours", "naive"] * 4
    assert times["ours"] == Timing(median=2.0, lower=1.5, upper=2.5, rounds=3)
    assert times["naive"] == Timing(median=30.0, lower=25.0, upper=35.0, rounds=3)


def test_a_call_that_does_not_measure_itself_is_timed():
    timing = interleave({"nothing": lambda: None}, rounds=1, warmup=0)["nothing"]
    assert timing.rounds == 1
    assert 0 <= timing.lower == timing.median < 1


def test_rates_are_positive_and_kept():
    rates = Rates(effort=0.0)
    assert rates.gemm(300, 16, 32) == rates.gemm(300, 16, 32) > 0
    rates.copied = 2e9
    assert rates.as_json()["copy_gb_s"] == 2.0
    assert list(rates.as_json()["gemm_gflops"]) == ["300x16x32"]


def test_a_result_is_one_json_object_with_rounded_numbers(tmp_path, capsys):
    report("toy", {"ratio": 1.23456789, "rows": [{"seconds": (0.00012345678,)}]}, tmp_path)
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "toy.json").read_text())
    assert printed["name"] == "toy"
    assert printed["ratio"] == 1.2346
    assert printed["rows"] == [{"seconds": [0.00012346]}]
    assert {"command", "machine"} <= printed.keys()


def test_quick_results_are_only_printed(tmp_path, capsys):
    assert results_folder(quick=True, results=None) is None
    assert results_folder(quick=False, results=None) == RESULTS
    assert results_folder(quick=True, results=tmp_path) == tmp_path
    report("toy", {"ratio": None}, None)
    assert json.loads(capsys.readouterr().out)["ratio"] is None


def test_peak_memory_counts_what_came_and_went():
    with PeakMemory() as peak:
        torch.ones(25_000_000).sum()
    assert peak.gb == pytest.approx(0.1, abs=0.05)


def test_a_result_of_several_data_sets_keeps_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(data_sets, "RESULTS", tmp_path)
    for data_set, value in (("toys", 1), ("tiktok", 2), ("toys", 3)):
        monkeypatch.setattr("sys.argv", ["/x/benchmarks/quality/refit.py", data_set])
        data_sets.store_data_set("refit", data_set, {"rows": value})
    stored = json.loads((tmp_path / "refit.json").read_text())
    assert {name: part["rows"] for name, part in stored["data sets"].items()} == {"toys": 3, "tiktok": 2}
    assert stored["command"] == ["python benchmarks refit toys", "python benchmarks refit tiktok"]
    assert "cpu" in stored["data sets"]["tiktok"]["machine"]


def test_what_a_program_is_called_by(monkeypatch):
    for file, words in (("benchmarks/speed/knn.py", "benchmarks knn"), ("benchmarks/gpu.py", "benchmarks/gpu.py")):
        monkeypatch.setattr("sys.argv", [f"/x/{file}", "--quick"])
        assert called_as() == f"python {words}"
        assert command() == f"python {words} --quick"
