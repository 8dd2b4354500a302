from pathlib import Path

import numpy as np
import polars as pl
import pytest

from alignrec_geo.dataset import Dataset
from alignrec_geo.dataset.build import Tables, build_dataset
from alignrec_geo.dataset.readers.feature_files import (
    ItemIds,
    add_feature_files,
    largest_whole_number,
    parse_named_files,
    place_matrix,
)
from alignrec_geo.dataset.readers.matrices import Matrix
from alignrec_geo.dataset.splits import SplitConfig
from alignrec_geo.errors import InputError
from tests.dataset.toys import dataset, frame, write


def ids(*names: str) -> pl.Series:
    return pl.Series("id", names, dtype=pl.String)


def matrix(rows: int, named: pl.Series | None = None) -> Matrix:
    return Matrix(np.arange(1, rows + 1, dtype=np.float32)[:, None], "m.npy", named)


def numbered() -> Dataset:
    return build_dataset("n", Tables(frame([("a", "0", 0), ("a", "2", 0), ("b", "3", 0)])), SplitConfig(rule="given"))


def test_row_r_belongs_to_item_number_r() -> None:
    placed, notes = place_matrix("x", matrix(5), numbered(), ItemIds(known=ids("0", "2", "3", "4")))
    assert placed.matrix.ravel().tolist() == [1, 3, 4]
    assert placed.present.all()
    assert placed.meta == {"source": "m.npy"}
    assert notes == ["features 'x': 3 of 3 items have them; 2 rows belong to no item, e.g. '1', '4'"]


@pytest.mark.parametrize("rows", [3, 5])
def test_too_few_or_too_many_rows_are_refused(rows: int) -> None:
    message = rf"m\.npy has {rows} rows, 4 are needed: .* the largest item id is 3; if .*feature_ids="
    with pytest.raises(InputError, match=message):
        place_matrix("x", matrix(rows), numbered(), ItemIds(known=ids("0", "2", "3")))


def test_row_r_of_other_ids_belongs_to_row_r_of_the_items_file() -> None:
    items = ItemIds(known=ids("cup", "mug", "pen", "elk"), listed=ids("pen", "elk", "cup"))
    placed, notes = place_matrix("x", matrix(3), dataset(), items)
    assert placed.matrix.ravel().tolist() == [3, 0, 1]
    assert placed.present.tolist() == [True, False, True]
    assert notes == [
        "features 'x': 2 of 3 items have them; not for example 'mug'; 1 rows belong to no item, e.g. 'elk'"
    ]
    with pytest.raises(InputError, match=r"m\.npy has 2 rows and the items file 3"):
        place_matrix("x", matrix(2), dataset(), items)
    with pytest.raises(InputError, match=r"nothing says which row of m\.npy belongs to which item"):
        place_matrix("x", matrix(3), dataset(), ItemIds(known=items.known))


def test_rows_of_other_items_are_a_note_and_no_match_at_all_an_error() -> None:
    items = ItemIds(known=ids("cup", "mug", "pen"))
    placed, notes = place_matrix("x", matrix(2, ids("pen", "elk")), dataset(), items)
    assert placed.matrix.ravel().tolist() == [0, 0, 1]
    assert notes == [
        "features 'x': 1 of 3 items have them; not for example 'cup', 'mug'; 1 rows belong to no item, e.g. 'elk'"
    ]
    message = (
        r"no row of m\.npy belongs to an item .*ids are for example 'elk', 'gnu', item ids are .* 'cup', 'mug', 'pen'"
    )
    with pytest.raises(InputError, match=message):
        place_matrix("x", matrix(2, ids("elk", "gnu")), dataset(), items)
    with pytest.raises(InputError, match=r"m\.npy has 2 rows and 1 ids"):
        place_matrix("x", matrix(2, ids("pen")), dataset(), items)


def test_an_item_named_twice_needs_equal_rows() -> None:
    items = ItemIds(known=ids("cup", "mug", "pen"))
    with pytest.raises(InputError, match=r"'pen' twice, with different values \(rows 0 and 2, counted from 0\)"):
        place_matrix("x", matrix(3, ids("pen", "cup", "pen")), dataset(), items)
    values = np.array([[1.0], [2.0], [1.0]], dtype=np.float32)
    placed, notes = place_matrix("x", Matrix(values, "m.npy", ids("pen", "cup", "pen")), dataset(), items)
    assert placed.matrix.ravel().tolist() == [2, 0, 1]
    assert notes[-1] == "features 'x': 1 rows repeat an item with the same values, e.g. 'pen'"


def test_ids_with_blanks_or_written_as_floats_belong_to_their_items() -> None:
    placed, _ = place_matrix("x", matrix(3, ids("3.0", " 0", "2")), numbered(), ItemIds(known=ids("0", "2", "3")))
    assert placed.matrix.ravel().tolist() == [2, 3, 1]


def test_two_readings_of_the_rows_that_disagree_are_refused() -> None:
    known = ids("0", "1", "2", "3")
    with pytest.raises(
        InputError, match=r"row 0 of m\.npy may belong to item 0, by its number, or to item 3.*feature_ids="
    ):
        place_matrix("x", matrix(4), numbered(), ItemIds(known=known, listed=ids("3", "0", "1", "2")))
    placed, _ = place_matrix("x", matrix(4), numbered(), ItemIds(known=known, listed=known))
    assert placed.matrix.ravel().tolist() == [1, 3, 4]


def test_zero_rows_count_as_missing() -> None:
    values = np.array([[1, 2], [0, 0], [3, 4]], dtype=np.float32)
    known = ids("cup", "mug", "pen")
    placed, notes = place_matrix("x", Matrix(values, "m.npy", known), dataset(), ItemIds(known=known))
    assert placed.present.tolist() == [True, False, True]
    assert notes == [
        "features 'x': 2 of 3 items have them; not for example 'mug'",
        "features 'x': 1 rows are all zero, e.g. of 'mug'; these items count as without 'x'",
    ]


def test_files_with_and_without_ids(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[5.0], [6.0]]))
    names = write(tmp_path / "a.txt", "pen\nmug\n")
    table = write(tmp_path / "b.csv", "sku,x\ncup,1\nmug,2\n")
    items = ItemIds(known=ids("cup", "mug", "pen"), columns=("sku",))
    made = add_feature_files(dataset(), items, {"a": tmp_path / "a.npy", "b": table}, {"a": names})
    assert made.features("a").matrix.ravel().tolist() == [0, 6, 5]
    assert made.features("b").matrix.ravel().tolist() == [1, 2, 0]
    with pytest.raises(InputError, match=r"b\.csv names its items itself"):
        add_feature_files(dataset(), items, {"b": table}, {"b": names})
    with pytest.raises(InputError, match="ids are given for features 'c', and no matrix of that name"):
        add_feature_files(dataset(), items, {"b": table}, {"c": names})


def test_options() -> None:
    assert parse_named_files(["a=x=y.npy"], "--feature") == {"a": Path("x=y.npy")}
    for wrong in ("a", "=f", "a="):
        with pytest.raises(InputError, match=r"--feature takes NAME=FILE \(got"):
            parse_named_files([wrong], "--feature")
    with pytest.raises(InputError, match="--feature gives 'a' twice"):
        parse_named_files(["a=1", "a=2"], "--feature")


@pytest.mark.parametrize(
    ("names", "largest"), [(["3", "0"], 3), (["3", "x"], None), (["03"], None), (["-1"], None), ([], None)]
)
def test_whole_numbers_from_zero(names: list[str], largest: int | None) -> None:
    assert largest_whole_number(ids(*names)) == largest
