"""These tests read the pages."""

import pytest

from tests.conftest import whole_pages as quick_pages
from tests.reporting.hand_made import NASTY, compared, model, run

__all__ = ["quick_pages"]


@pytest.fixture
def results():
    counts = {"users": 1000, "items": 500, "train": 9000, "validation": 500, "test": 500}
    trial = {"number": 0, "settings": {"dim": 64}, "validation": {"recall@20": 0.1}, "epochs": 3, "error": None}
    lost = {"number": 1, "settings": {"dim": 8}, "validation": None, "epochs": 0, "error": "diverged"}
    return {
        "schema": 1,
        "command": f"alignrec-geo compare {NASTY}",
        "dataset": {"name": NASTY, "fingerprint": "f", **counts},
        "protocol": "clean",
        "features": ["image"],
        "trials": 2,
        "seeds": 2,
        "reference": "alignrec",
        "machine": {"cpu": "x", "cpus": 2},
        "models": [
            model("alignrec", run(1, 0.10), run(2, 0.12), trials=[trial, lost]),
            model("bpr", run(1, 0.05), run(2, 0.05)),
            model("mgcn", run(1, 0.13), run(2, 0.13)),
            model("vbpr", run(1, None, error="out of memory"), run(2, 0.09)),
            model("grcn", run(1, None, error="diverged"), run(2, None, error="diverged")),
            model("popularity", run(1, 0.20)),
        ],
        "significance": [compared("bpr", 0.06, 0.001), compared("mgcn", -0.02, 0.01), compared("vbpr", 0.02, 0.3)],
    }
