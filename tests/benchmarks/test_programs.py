import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from harness.drawn_tables import draw_tables
from harness.measure import Timing
from speed import (
    bulk,
    dense_graph,
    distributed,
    import_rows,
    kernels,
    knn,
    mkl_on_amd,
    one_request,
    plan,
    serve,
    serve_soak,
    step_profile,
    triplet_memory,
)
from speed.epoch import row
from speed.scale import exponent
from speed.time_to_quality import read, summary

from alignrec_geo.graph.item_knn import item_knn


@pytest.mark.slow
def test_kernels_quick(capsys, tmp_path):
    kernels.main(dataset=None, only=None, device="cpu", seed=0, quick=True, results=tmp_path)
    result = json.loads(capsys.readouterr().out)
    assert result == json.loads((tmp_path / "kernels.json").read_text())
    operations = {entry["what"]: entry for entry in result["rows"]}
    assert {"spmm", "gather", "infonce", "triplet_loss", "similarity_gap", "topk", "knn"} <= operations.keys()
    for entry in operations.values():
        assert entry["ratio"] > 0
        assert entry["limit_ratio"] > 0
        assert entry["largest_relative_difference"] < 1e-5
    assert result["ratio"] == min(entry["ratio"] for entry in operations.values())


def test_dense_graph_quick(capsys, tmp_path):
    dense_graph.main(dataset=None, width=160, quick=True, results=tmp_path)
    result = json.loads(capsys.readouterr().out)
    assert result == json.loads((tmp_path / "dense-graph.json").read_text())
    assert [row["what"] for row in result["rows"]] == ["spmm (wide)", "edge_dot", "row_sum", "gather_columns"]
    assert "in one piece, as the graph has few edges" in result["rows"][0]["detail"]
    assert all(row["ratio"] > 0 and row["limit_ratio"] > 0 for row in result["rows"])


def test_step_profile_quick(capsys, tmp_path):
    step_profile.main(dataset=None, rounds=15, quick=True, results=tmp_path)
    result = json.loads(capsys.readouterr().out)
    assert result == json.loads((tmp_path / "step-profile.json").read_text())
    whole, *parts = result["milliseconds"].values()
    assert len(parts) == 6
    assert min(parts) > 0 < whole
    assert max(result["distinct"].values()) == result["distinct"]["batch"] == 64


def test_knn_quick(capsys):
    knn.main(k=10, seed=0, quick=True, results=None)
    result = json.loads(capsys.readouterr().out)
    assert result["largest_similarity_gap"] < 1e-6
    assert result["shape"] == {"items": 500, "width": 32, "k": 10}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_mkl_on_amd_quick(capsys, tmp_path):
    mkl_on_amd.main(dataset=None, models="bpr", rounds=7, quick=True, results=tmp_path)
    result = json.loads(capsys.readouterr().out)
    assert result == json.loads((tmp_path / "mkl-on-amd.json").read_text())
    assert [entry["what"] for entry in result["rows"]] == ["gemm", "step-bpr"]
    for entry in result["rows"]:
        for ratio, side in (("ratio", "wide"), ("onednn_ratio", "onednn")):
            assert entry[ratio] == pytest.approx(entry["seconds"]["mkl"] / entry["seconds"][side], rel=1e-3)
        assert min(entry["seconds"].values()) > 0


@pytest.mark.slow  # three Pythons
def test_distributed_quick(capsys, tmp_path):
    distributed.main("", "", "", "9999,9999", 0, 0, hold="", quick=True, results=tmp_path)
    result = json.loads(capsys.readouterr().out)
    assert result["largest_loss_difference"] < 1e-6
    sent = {(row["model"], row["ranks"]): row["sent_mb"] for row in result["rows"]}
    assert sent["lightgcn", 1] == 0.0
    half_of_six_rows_of_every_triplet = 6 * 256 * 64 * 4 / 2 / 1e6
    assert sent["lightgcn", 2] == pytest.approx(half_of_six_rows_of_every_triplet, rel=1e-4)


@pytest.mark.slow  # five Pythons
def test_plan_quick(capsys, tmp_path):
    held = torch.ones(200_000_000)  # 0.8 GB of this process, more than the one that is measured takes
    plan.main("lightgcn", seed=0, scratch=tmp_path, hold=None, quick=True, results=tmp_path)
    (row,) = json.loads((tmp_path / "plan.json").read_text())["rows"]
    assert 0.7 < row["memory"]["ratio"] < 1.3  # nearly all of it is the program itself
    assert held.nbytes / 1e9 > row["memory"]["measured"]
    assert row["step"]["predicted"] > 0
    assert row["step"]["measured"] > 0


@pytest.mark.slow  # a Python of its own
@pytest.mark.skipif(sys.platform != "linux", reason="sets the peak of a process back")
def test_triplet_memory_quick(capsys, tmp_path):
    triplet_memory.main("", hold=0, quick=True, results=tmp_path)
    (row,) = json.loads((tmp_path / "triplet-memory.json").read_text())["rows"]
    assert 0 < row["held_bytes"] <= row["peak_bytes"] < row["stated_bytes"]


def test_a_missed_neighbour_is_found_out():
    x = torch.randn(40, 8, generator=torch.Generator().manual_seed(0))
    edges, _ = item_knn(x, torch.ones(40, dtype=torch.bool), 5, cache=False)
    assert knn.check(x, edges, k=5, rows=40, seed=0) < 1e-6
    wrong = edges.clone()
    wrong[0, 7] = next(item for item in range(40) if item not in edges[0, 5:10].tolist())
    with pytest.raises(AssertionError, match="missed"):
        knn.check(x, wrong, k=5, rows=40, seed=0)
    with pytest.raises(AssertionError, match="4 neighbours, 5 expected"):
        knn.check(x, edges[:, 1:], k=5, rows=40, seed=0)


def test_exponent_of_known_growth():
    assert exponent([(1e5, 0.1), (1e6, 1.0), (1e7, 10.0)]) == pytest.approx(1.0)
    assert exponent([(100, 3.0), (10_000, 30.0)]) == pytest.approx(0.5)


def test_a_slice_of_an_epoch_is_said_to_be_one():
    class Held:
        def __init__(self, **answer):
            self.answers = [{"peak_memory_gb": 0.5, **answer}]

    times = {
        "ours": (Timing(1.0, 1.0, 1.0, 3), Held()),
        "naive": (Timing(80.0, 80.0, 80.0, 3), Held(steps_measured=10, steps=58)),
    }
    content = row("epoch", ["ours", "naive"], times)
    assert content["ratio"] == 80.0
    assert content["extrapolated"] == "naive from 10 of 58 steps"
    times["naive"][1].answers[-1]["steps_measured"] = 58
    assert "extrapolated" not in row("epoch", ["ours", "naive"], times)


@pytest.fixture
def runs(tmp_path):
    """Two finished runs: the faithful one is there after 30 s, the faster one after 4 s."""

    def write(name, seconds, values):
        folder = tmp_path / name
        folder.mkdir()
        lines = [{"seconds": seconds, "validation": {"recall@20": value}} for value in values]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        (folder / "result.json").write_text(json.dumps({"metrics": {"recall@20": 0.08}}))
        return folder

    faithful = write("faithful", 10.0, [0.05, 0.08, 0.0995, 0.1, 0.09])
    return faithful, write("faster", 2.0, [0.08, 0.102, 0.1])


def test_seconds_to_quality(runs):
    faithful, faster = (read(folder) for folder in runs)
    assert (faithful["final"], faithful["seconds_to_99"], faithful["seconds"], faithful["epochs"]) == (0.1, 30, 50, 5)
    assert (faster["final"], faster["seconds_to_99"]) == (0.102, 4)
    rows = [{"schedule": "faithful", "seed": 0, **faithful}, {"schedule": "faster", "seed": 0, **faster}]
    content = summary(rows)
    assert content["ratio"] == 7.5
    assert content["final_difference"] == pytest.approx(0.002)
    assert content["mean"]["faster"]["seconds_to_faithful_99"] == 4
    assert summary(rows[:1])["ratio"] is None


def test_a_faster_schedule_that_never_gets_there_is_said_so(runs):
    faithful, faster = (read(folder) for folder in runs)
    weak = {**faster, "curve": [[2.0, 0.05]]}
    rows = [{"schedule": "faithful", "seed": 0, **faithful}, {"schedule": "faster", "seed": 0, **weak}]
    assert summary(rows)["mean"]["faster"]["seconds_to_faithful_99"] is None


def test_ann_quick(capsys, tmp_path):
    pytest.importorskip("faiss")
    from speed import ann

    ann.main(run=None, drawn="", users=0, dim=16, rounds=3, clock="wall", seed=0, quick=True, results=tmp_path)
    (row,) = json.loads((tmp_path / "ann.json").read_text())["rows"]
    assert row["recall"] > 0.95
    assert 0 < row["share_looked_through"] < 1
    assert row["filtered"]["equal"]


def test_one_request_quick(capsys, tmp_path):
    one_request.main(sizes="", per_user=10, dim=16, k=5, rounds=5, clock="wall", seed=0, quick=True, results=tmp_path)
    result = json.loads(capsys.readouterr().out)
    assert result == json.loads((tmp_path / "one-request.json").read_text())
    assert [entry["users"] for entry in result["rows"]] == [500, 1000]
    for entry in result["rows"]:
        seconds = {name: timing["median"] for name, timing in entry["seconds"].items()}
        assert entry["ratio"] == pytest.approx(seconds["recommend"] / seconds["bare"], rel=1e-3)
        assert entry["first_request_seconds"] > 0


@pytest.mark.slow
def test_bulk_quick(capsys, tmp_path):
    bulk.main(per_user=10, dim=16, k=5, whole=False, clock="wall", seed=0, quick=True, results=tmp_path)
    result = json.loads(capsys.readouterr().out)
    assert result["shape"]["interactions"] == 6000
    assert result["one_process"]["users"] >= 400
    assert result["one_process"]["peak_memory_gb"] >= result["one_process"]["peak_memory_after_opening_gb"]
    seconds = {name: timing["median"] for name, timing in result["seconds_per_slice"].items()}
    assert result["ratio"] == pytest.approx(seconds["parquet"] / seconds["bare"], rel=1e-3)
    assert result["extrapolated_seconds"]["lists"] == pytest.approx(seconds["lists"] * 3, rel=1e-3)


def test_drawn_interactions_are_different_pairs():
    tables, data = draw_tables(users=50, items=30, per_user=10, dim=4, seed=0)
    assert [len(table) for table in tables] == [50, 30]
    assert data.interactions.user_degree().tolist() == [10] * 50


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("wrk") is None, reason="needs wrk: apt-get install wrk")
def test_serve_quick(capsys, tmp_path):
    serve.main(sizes="", per_user=10, dim=16, connections=4, seed=0, quick=True, results=tmp_path)
    result = json.loads(capsys.readouterr().out)
    assert result == json.loads((tmp_path / "serve.json").read_text())
    (row,) = result["rows"]
    assert row["wrong"] == row["failed"] == 0
    assert row["requests"] > 0
    assert row["cpu_share"] == pytest.approx(row["empty"]["cpu_ms"] / row["service"]["cpu_ms"], rel=1e-3)
    changed = result["reloads"]
    assert changed["changes"] == 2
    assert changed["wrong"] == changed["failed"] == 0
    assert changed["first"] + changed["second"] == changed["answers"]
    serve_soak.main(connections=2, seed=0, quick=True, results=tmp_path)
    soak = json.loads(capsys.readouterr().out)
    assert set(soak["statuses"]) <= {"200", "404", "422"}
    assert soak["first_mb"] > 100


@pytest.mark.slow
def test_import_rows_quick(capsys, tmp_path):
    pytest.importorskip("duckdb", reason="alignrec-geo[stream] is not installed")
    import_rows.main(kills=1, describe=True, folder=tmp_path, quick=True, results=None)
    result = json.loads(capsys.readouterr().out)
    ways = {entry["way"]: entry for entry in result["imports"]}
    assert ways.keys() == {"streamed", "in memory", "describe"}
    assert ways["streamed"]["interactions"] == ways["in memory"]["interactions"] > 10_000
    assert min(entry["peak_memory_gb"] for entry in ways.values()) > 0.05


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["splits", "some-name", "missing"], "missing/results.json: no such file"),
        (["dense_graph", "--shape", "nope"], "--shape is one of baby, sports, electronics, ml-1m, quick (got 'nope')"),
    ],
)
def test_bad_input_of_a_benchmark_is_one_line(words, message, tmp_path):
    command = [sys.executable, Path(__file__).parents[2] / "benchmarks", *words]
    found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert found.returncode == 2
    assert found.stderr == f"error: {message}\n"


@pytest.mark.parametrize("name", ["knn", "peers"])
def test_the_usage_of_a_benchmark_names_its_call(name, tmp_path):
    command = [sys.executable, Path(__file__).parents[2] / "benchmarks", name, "--nope"]
    found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert found.returncode == 2
    assert found.stderr.startswith(f"Usage: python benchmarks {name} [OPTIONS]")
    assert f"'python benchmarks {name} --help'" in found.stderr
