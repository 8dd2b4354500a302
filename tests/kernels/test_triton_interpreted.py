"""Runs the tests of the Triton kernels in Triton's interpreter, and their compilation, in processes of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from alignrec_geo.kernels.backends import available

pytestmark = [
    pytest.mark.first,
    pytest.mark.skipif(not available("triton"), reason="triton is not installed (Linux only, extra 'triton')"),
]

FOLDER = Path(__file__).parent / "triton"
ROOT = Path(__file__).resolve().parents[2]


def run(*command: object, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("TRITON_INTERPRET", "PYTEST_ADDOPTS")}
    return subprocess.run(
        [sys.executable, *map(str, command)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=600,
        env={**kept, **environment},
    )


@pytest.mark.parametrize("marked", ["not slow", pytest.param("slow", marks=pytest.mark.slow)])
def test_kernels_in_the_interpreter(marked):
    options = ("-q", f"--confcutdir={FOLDER}", "-p", "no:cacheprovider", "-m", marked)
    done = run("-m", "pytest", FOLDER, *options, TRITON_INTERPRET="1")
    assert done.returncode == 0, done.stdout[-20000:] + done.stderr[-5000:]
    assert " passed" in done.stdout


@pytest.mark.slow
def test_every_kernel_compiles_for_sm_80_and_sm_90():
    done = run("-m", "alignrec_geo.kernels.triton.compile")
    assert done.returncode == 0, done.stderr[-5000:]
    compiled = json.loads(done.stdout)
    names = {each["kernel"].partition(",")[0] for each in compiled}
    assert names == {
        "spmm.products",
        "spmm.add_parts",
        "gather.rank_sort",
        "gather.segment_sums",
        "infonce.pulls",
        "infonce.finish",
        "parts.split_rows",
        "similarity_gap.gram_tiles",
        "similarity_gap.slope_tiles",
        "gate.gated",
        "gate.slopes",
        "topk.best_of_rows",
        "topk.order_rows",
        "adam.move",
        "triplet_loss.triplets",
        "triplet_loss.slopes",
        "unit_rows.lengths",
        "unit_rows.turned",
    }
    assert sorted({each["capability"] for each in compiled}) == [80, 90]
    for each in compiled:
        multiplies = each["kernel"].partition(",")[0] in (
            "infonce.pulls",
            "similarity_gap.gram_tiles",
            "similarity_gap.slope_tiles",
        )
        older = each["capability"] < 90
        # what every GPU grants without being asked; with tensor cores, what every GPU of that age grants
        granted = (99 if older else 227) if multiplies else 48
        assert each["cubin_bytes"] > 1000, each
        assert 16 <= each["registers"] <= 255, each
        assert each["shared_bytes"] <= granted * 1024, each
        assert each["spill_store_bytes"] + each["spill_load_bytes"] <= (2048 if multiplies and older else 64), each
