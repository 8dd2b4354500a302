import numpy as np
import pytest

from alignrec_geo.dataset import Interactions, Split
from alignrec_geo.errors import InputError
from tests.dataset.toys import pairs


def test_parts_and_degrees_of_a_known_table() -> None:
    table = pairs([0, 0, 1, 2], [1, 0, 1, 1], rating=np.array([1, 2, 3, 4], dtype=np.float32))
    table = table.with_split(np.array([0, 1, 2, -1], dtype=np.int8))
    assert len(table) == 4
    assert table.keys().tolist() == [1, 0, 3, 5]
    assert table.split_sizes() == {"train": 1, "validation": 1, "test": 1}
    assert table.user_degree().tolist() == [2, 1, 1]
    assert table.item_degree().tolist() == [1, 3]
    held = table.of(Split.VALIDATION, Split.TEST)
    assert held.user.tolist() == [0, 1]
    assert held.rating is not None
    assert held.rating.tolist() == [2, 3]
    assert held.timestamp is None
    assert held.n_users == 3


def test_split_names() -> None:
    assert Split.parse("validation") is Split.VALIDATION
    assert Split.UNUSED.label == "unused"
    with pytest.raises(InputError, match=r"unknown split \(got 'dev'\); allowed: train, validation, test"):
        Split.parse("dev")


@pytest.mark.parametrize(
    ("user", "item", "message"),
    [
        ([0, 1], [0], "item has 1 rows, user has 2"),
        ([0, 5], [0, 0], r"user rows must lie in 0\.\.1 \(got 0\.\.5\)"),
        ([0, 1], [0, -1], r"item rows must lie in 0\.\.1 \(got -1\.\.0\)"),
        ([1, 1], [1, 1], "occurs twice"),
    ],
)
def test_impossible_tables_are_refused(user: list[int], item: list[int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Interactions(np.array(user), np.array(item), np.zeros(2, dtype=np.int8), n_users=2, n_items=2)


def test_rows_are_whole_numbers_and_times_are_finite() -> None:
    zero, split = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int8)
    for user in (np.array([0.0]), [0]):
        with pytest.raises(InputError, match=r"user rows must be an array of whole numbers \(got"):
            Interactions(user, zero, split, 1, 1)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"timestamp of pair 0 .* is no finite number \(got nan\)"):
        Interactions(zero, zero, split, 1, 1, timestamp=np.array([np.nan]))
