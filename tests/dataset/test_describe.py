from pathlib import Path

import numpy as np
import polars as pl

from alignrec_geo.dataset import Features
from alignrec_geo.dataset.build import Tables, build_dataset
from alignrec_geo.dataset.describe import _centre, describe
from alignrec_geo.dataset.feature_checks import feature_facts
from alignrec_geo.dataset.images import ImageSource
from alignrec_geo.dataset.splits import SplitConfig
from tests.dataset.toys import ROWS, dataset, frame, png


def features(name: str, rows: list[list[float]], present: list[bool] | None = None) -> Features:
    matrix = np.array(rows, dtype=np.float32)
    return Features(name, matrix, np.array(present or [True] * len(rows)))


def test_counts_and_coverage_of_a_known_data_set(tmp_path: Path) -> None:
    (tmp_path / "mug.png").write_bytes(png())
    items = pl.DataFrame({"id": ["pen"], "text": ["A pen."]})
    data = dataset(items=items, images=ImageSource(tmp_path)).with_features(
        features("image", [[1, 2], [3, 5], [0, 0]], [True, True, False])
    )
    found = describe(data).to_json()
    assert found["density"] == 6 / 9
    assert found["splits"] == {"train": 4, "validation": 1, "test": 1}
    assert found["per_user"] == {"median": 2.0, "mean": 2.0}
    assert found["per_item"] == {"median": 2.0, "mean": 2.0}
    assert found["modalities"] == {"image": {"items": 2, "share": 2 / 3, "width": 2}}
    assert found["text"] == {"items": 1, "share": 1 / 3, "width": None}
    assert found["images"] == {"items": 1, "share": 1 / 3, "width": None}
    saved = describe(data.save(tmp_path / "out"))
    assert saved.images.items == 1


def test_cold_rows_and_tiny_splits_are_warned_of() -> None:
    data = build_dataset("toy", Tables(frame([*ROWS, ("dan", "pen", 1)])), SplitConfig(rule="given"))
    warnings = describe(data).warnings
    assert warnings == [
        "1 of 4 users have no training pair (nothing is known of them); 1 validation and test pairs are theirs",
        "1 of 3 items have no training pair (only content can place them); 1 validation and test pairs are theirs",
        "only 2 validation pairs: metrics on them will be noisy",
        "only 1 test pairs: metrics on them will be noisy",
        "no item has content (features, text or image): only ID-only models can be trained",
    ]


def test_unused_pairs_and_missing_splits() -> None:
    data = build_dataset("toy", Tables(frame([("a", "x", 0), ("b", "x", -1)])), SplitConfig(rule="given"))
    found = describe(data)
    assert found.unused == 1
    assert found.interactions == 2
    assert "there are no validation pairs" in found.warnings
    assert "there are no test pairs" in found.warnings


def test_popularity_and_duplicates_are_warned_of() -> None:
    rows = [(f"u{u}", "star", 0) for u in range(60)] + [(f"u{n % 60}", f"i{n}", 0) for n in range(120)]
    rows += [rows[0]]
    found = describe(build_dataset("toy", Tables(frame(rows)), SplitConfig(rule="given")))
    assert any("1 items (1 %) hold 33% of the train pairs" in warning for warning in found.warnings)
    assert "1 duplicate rows of a user-item pair were merged" in found.warnings


def test_what_is_wrong_with_features_is_warned_of() -> None:
    data = dataset().with_features(
        features("even", [[1, 1], [1, 1], [1, 1]]),
        features("long", [[90, 1], [80, 1], [90, 1]]),
        features("void", [[0]] * 3, [False] * 3),
        features("short", [[1, 0], [0, 1], [1, 1]]),
    )
    warnings = describe(data).warnings
    assert "features 'even' are all equal: they tell no item from another" in warnings
    assert "features 'long': 2 of 3 items share their row with another item (2 different rows)" in warnings
    assert "features 'long': 1 of 2 columns have one value in all rows" in warnings
    assert "features 'void': no item has them" in warnings
    assert any(w.startswith("the vectors of 'long' are 90.0 times as long as those of 'short'") for w in warnings)


def test_items_without_content_are_counted() -> None:
    data = dataset().with_features(features("image", [[1], [2], [0]], [True, True, False]))
    assert "1 of 3 items have no content at all (features, text or image)" in describe(data).warnings


def test_repeated_rows_are_counted_exactly_across_blocks() -> None:
    generator = np.random.default_rng(3)
    distinct = generator.normal(size=(5000, 16)).astype(np.float32)
    matrix = np.concatenate([distinct, distinct[:300], -np.zeros((1, 16), np.float32), np.zeros((1, 16), np.float32)])
    facts = feature_facts(Features("x", matrix, np.ones(len(matrix), dtype=np.bool_)))
    assert (facts.distinct, facts.repeated, facts.constant) == (5001, 602, 0)
    assert facts.norm == np.float32(np.median(np.linalg.norm(matrix, axis=1)))


def test_in_a_data_set_without_pairs_nothing_divides_by_zero() -> None:
    assert _centre(np.array([], dtype=np.int64)) == {"median": 0.0, "mean": 0.0}
    assert _centre(np.array([1, 2, 9])) == {"median": 2.0, "mean": 4.0}
