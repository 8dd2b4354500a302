import numpy as np
import pytest

from alignrec_geo.content.feature_sets import report as module
from alignrec_geo.content.feature_sets.report import feature_report
from alignrec_geo.dataset.features import Features
from alignrec_geo.files import sha256_of


def features(rows, present=None):
    matrix = np.array(rows, dtype=np.float32)
    return Features("image", matrix, np.ones(len(matrix), bool) if present is None else np.array(present), {"by": "me"})


def test_numbers_of_a_small_matrix(tmp_path):
    found = features([[3, 4], [3, 4], [0, 0], [6, -8]], [True, True, False, True])
    found.save(tmp_path / "image.safetensors")
    report = feature_report(found, tmp_path / "image.safetensors")
    assert (report.items, report.width, report.present) == (4, 2, 3)
    assert report.norms == {"min": 5.0, "median": 5.0, "mean": pytest.approx(20 / 3), "max": 10.0}
    assert report.mean_share == pytest.approx((4**2 + 0) / ((25 + 25 + 100) / 3))  # the mean is (4, 0)
    assert (report.repeated, report.distinct, report.meta) == (2, 2, {"by": "me"})
    assert report.sha256 == sha256_of(tmp_path / "image.safetensors")
    assert "share their row" in report.warnings[0]
    assert report.to_json()["norms"]["max"] == 10.0


def test_blocks_change_nothing(monkeypatch):
    found = features(np.random.default_rng(0).normal(size=(50, 3)))
    want = feature_report(found)
    monkeypatch.setattr(module, "BLOCK", 7)
    assert feature_report(found).mean_share == pytest.approx(want.mean_share)


def test_a_shared_direction_shows_and_centring_removes_it():
    rows = np.random.default_rng(0).normal(size=(500, 4))
    assert feature_report(features(rows + 10)).mean_share > 0.98
    assert feature_report(features(rows + 10 - (rows + 10).mean(axis=0))).mean_share < 1e-6


def test_no_item_has_them():
    report = feature_report(features(np.zeros((3, 2)), [False] * 3))
    assert (report.present, report.mean_share, report.norms["max"]) == (0, 0.0, 0.0)
    assert report.warnings == ["features 'image': no item has them"]


@pytest.mark.filterwarnings("error")
def test_lengths_beyond_float32():
    report = feature_report(Features("x", np.full((2, 3), 3e38, dtype=np.float32), np.ones(2, dtype=bool)))
    assert report.norms["max"] == pytest.approx(3e38 * 3**0.5)
    assert report.to_json()["width"] == 3
