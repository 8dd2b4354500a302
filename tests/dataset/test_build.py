import numpy as np
import polars as pl
import pytest

from alignrec_geo.dataset.build import Tables, build_dataset, features_by_id
from alignrec_geo.dataset.filters import FilterConfig
from alignrec_geo.dataset.splits import SplitConfig
from alignrec_geo.errors import InputError
from tests.dataset.toys import dataset, frame

GIVEN = SplitConfig(rule="given")


def test_rows_are_numbered_by_id() -> None:
    data = dataset()
    assert data.users["id"].to_list() == ["ann", "bob", "cid"]
    assert data.items["id"].to_list() == ["cup", "mug", "pen"]
    assert data.interactions.user.tolist() == [0, 0, 0, 1, 1, 2]
    assert data.interactions.item.tolist() == [1, 2, 0, 1, 2, 2]


def test_whole_numbers_are_sorted_as_numbers() -> None:
    rows = [("10", "9", 0), ("9", "10", 0), ("1", "2", 0)]
    data = build_dataset("toy", Tables(frame(rows)), GIVEN)
    assert data.users["id"].to_list() == ["1", "9", "10"]
    assert data.items["id"].to_list() == ["2", "9", "10"]


def test_duplicates_go_to_the_earliest_split_then_time() -> None:
    rows = frame([("a", "x", 2), ("a", "x", 0), ("a", "y", -1), ("a", "y", 2), ("b", "x", 0), ("b", "x", 0)])
    rows = rows.with_columns(pl.Series("timestamp", [1, 9, 3, 8, 5, 4]))
    data = build_dataset("toy", Tables(rows), GIVEN)
    pairs = data.interactions
    assert pairs.timestamp is not None
    found = list(
        zip(pairs.user.tolist(), pairs.item.tolist(), pairs.split.tolist(), pairs.timestamp.tolist(), strict=True)
    )
    assert sorted(found) == [(0, 0, 0, 9), (0, 1, 2, 8), (1, 0, 0, 4)]
    assert data.notes == ["3 duplicate rows of a user-item pair were merged"]


def test_items_without_pairs_are_kept_on_request() -> None:
    items = pl.DataFrame({"id": ["mug", "elk"], "title": ["A mug", "An elk"]})
    assert dataset(items=items).items["id"].to_list() == ["cup", "mug", "pen"]
    kept = dataset(items=items, keep_items=True)
    assert kept.items["title"].to_list() == [None, "An elk", "A mug", None]
    assert kept.interactions.n_items == 4


def test_nothing_to_train_from_is_an_error() -> None:
    with pytest.raises(InputError, match="has no interactions"):
        build_dataset("toy", Tables(frame([])), GIVEN)
    with pytest.raises(InputError, match="no interactions left after filtering"):
        build_dataset("toy", Tables(frame()), GIVEN, FilterConfig(k_core=9))
    with pytest.raises(InputError, match="has an empty training split"):
        build_dataset("toy", Tables(frame([("a", "x", 1), ("a", "y", 2)])), GIVEN)


def test_features_find_their_items() -> None:
    matrix = np.array([[1.0, 2.0], [3.0, 4.0]], dtype=np.float32)
    features = features_by_id("image", matrix, ["pen", "cup"], dataset(), {})
    assert features.matrix.tolist() == [[3, 4], [0, 0], [1, 2]]
    assert features.present.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["pen"], "have 2 rows and 1 ids"),
        (["pen", "pen"], "give item 'pen' twice"),
        (["pen", "elk"], "features 'image': unknown item 'elk'"),
    ],
)
def test_ids_that_do_not_fit_are_refused(ids: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        features_by_id("image", np.ones((2, 2), dtype=np.float32), ids, dataset(), {})
