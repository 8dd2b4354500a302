import uuid
from datetime import date
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
import torch

from alignrec_geo.dataset.ids import id_series, is_one_id, text_id, text_ids
from alignrec_geo.errors import InputError
from tests.dataset.toys import dataset

KEY = uuid.UUID(int=7)
FAR = pl.Series([10**8], dtype=pl.Int32).cast(pl.Date)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("13", "13"),
        (np.str_("13"), "13"),
        (13, "13"),
        (13.0, "13"),
        (np.int64(13), "13"),
        (np.float32(13), "13"),
        (torch.tensor(13), "13"),
        (np.array(13), "13"),
        (b"13", "13"),
        (Decimal("13.00"), "13"),
        (np.uint64(2**64 - 1), "18446744073709551615"),
        (2**70, "1180591620717411303424"),
        (1.5, "1.5"),
        (KEY, str(KEY)),
        (True, "true"),
        (date(2024, 5, 1), "2024-05-01"),
        (" 007 ", " 007 "),
    ],
)
def test_one_id_of_any_type_has_one_text(value: object, wanted: str) -> None:
    assert text_id(value) == wanted
    assert is_one_id(value)
    assert text_ids(value) == text_ids([value]) == [wanted]


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), "", "  ", b"\xff", [1], {}, object()])
def test_what_is_no_id_is_one_line(value: object) -> None:
    with pytest.raises(InputError, match=r"^user.*\(got "):
        text_id(value, "user")


def test_collections_of_ids() -> None:
    for values in ([1, 2], (1, "2"), np.array([1, 2]), torch.tensor([1.0, 2.0]), pl.Series([1, 2]), iter(["1", 2])):
        assert text_ids(values) == ["1", "2"]
        assert not is_one_id(values)
    with pytest.raises(InputError, match=r"users, number 2 of them: an id is missing \(got None\)"):
        text_ids(["a", None], "users")
    for wrong in (np.array([[1]]), {1, 2}, {"a": 1}, object()):
        with pytest.raises(InputError, match="users: a list of ids is needed"):
            text_ids(wrong, "users")


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (pl.Series(["101.0", "102.0", None]), ["101", "102", None]),
        (pl.Series(["101.0", "102"]), ["101.0", "102"]),
        (pl.Series(["1.0", "1.10"]), ["1.0", "1.10"]),
        (pl.Series(["01.0", "02.0"]), ["01.0", "02.0"]),
        (pl.Series(["007", " a ", "  "]), ["007", " a ", None]),
        (pl.Series([1.0, None, float("nan"), 2.5]), ["1", None, None, "2.5"]),
        (pl.Series([b"a", None]), ["a", None]),
        (pl.Series(["a"], dtype=pl.Categorical), ["a"]),
        (pl.Series([Decimal("1.00")]), ["1"]),
        (pl.Series([2**64 - 1], dtype=pl.UInt64), ["18446744073709551615"]),
        (
            pl.Series([KEY, 1, "a", None, float("nan"), np.int8(3)], dtype=pl.Object),
            [str(KEY), "1", "a", None, None, "3"],
        ),
        (pl.Series([None, None]), [None, None]),
    ],
)
def test_columns_of_ids(values: pl.Series, wanted: list[str | None]) -> None:
    assert id_series(values, "c").to_list() == wanted


WRONG = [pl.Series([[1]]), pl.Series([b"\xff"]), pl.Series([object()], dtype=pl.Object), FAR]


@pytest.mark.parametrize("values", WRONG)
def test_columns_that_are_no_ids_are_one_line(values: pl.Series) -> None:
    with pytest.raises(InputError, match=r"^clicks: column 'u'.*(text|years)"):
        id_series(values, "clicks: column 'u'")


def test_rows_of_a_data_set_by_one_id_or_many() -> None:
    toy = dataset()
    assert toy.item_rows("pen").tolist() == toy.item_rows(["pen"]).tolist() == [2]
    with pytest.raises(InputError, match="unknown user '13'"):
        toy.user_rows(13)
