import numpy as np
import pytest
from quality import whitening

from alignrec_geo.content.feature_sets.whiten import whiten_features
from alignrec_geo.dataset import make_catalogue
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.evaluation.protocols import Protocol
from alignrec_geo.probing.probe import Probe


def test_what_is_stored_is_what_the_probe_says_of_stored_features(tmp_path):
    data = make_catalogue(n_users=80, n_items=50, image_size=16).save(tmp_path / "c")
    found = whitening.judged(data, "image", [0.01, 1.0], Protocol.MMREC, 5)
    assert [row["content"] for row in found["validation"]] == [
        "popularity",
        "image",
        "image",
        "whitened-0.01",
        "whitened-1",
    ]
    assert [(row["content"], row["centred"]) for row in found["test"][2:]] == [
        ("image", False),
        ("image", True),
        ("whitened", False),
    ]
    stored = whiten_features(data, "image", "w").dataset
    probe = Probe(stored, ["image", "w"], Split.TEST, Protocol.MMREC, 5)
    row = probe.row("w", False)
    assert found["test"][-1]["zero_shot"] == pytest.approx(row.zero_shot.metrics["recall@20"])
    differences = {(test["measure"], test["baseline"]): test["difference"] for test in found["paired"]}
    assert set(differences) == {(m, b) for m in ("zero_shot", "item_cf") for b in ("image", "image, centred")}
    plain = probe.row("image", False).zero_shot.metrics["recall@20"]
    assert np.isclose(differences["zero_shot", "image"], row.zero_shot.metrics["recall@20"] - plain)
