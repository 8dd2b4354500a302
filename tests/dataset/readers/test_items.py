import json
from pathlib import Path

import pytest

from alignrec_geo.dataset.readers.items import ItemColumns, read_items
from alignrec_geo.errors import InputError
from tests.dataset.toys import write


def test_nested_fields_and_lists_become_one_text(tmp_path: Path) -> None:
    records = [
        {"id": 1, "name": "Toy Story", "omdb": {"Plot": "A doll."}, "genres": ["Comedy", "Family"]},
        {"id": 2, "name": " ", "omdb": {"Plot": "No stop"}, "genres": ["Drama"]},
        {"id": 3, "name": "Bare", "omdb": {}, "genres": []},
        {"id": 4, "name": "One", "genres": ["Western"]},
        {"id": 4, "name": "Two", "genres": ["Western"]},
    ]
    path = write(tmp_path / "m.jsonl", "\n".join(map(json.dumps, records)))
    items, notes = read_items(path, ItemColumns("id", "name", ["omdb.Plot", "genres"]))
    assert items.frame.select("id", "title", "text").rows() == [
        ("1", "Toy Story", "A doll. Comedy, Family"),
        ("2", None, "No stop. Drama"),
        ("3", "Bare", None),
        ("4", "One", "Western"),
    ]
    assert notes == [f"{path}: 1 rows repeat an item id; the first row of each is kept"]


def test_ids_only(tmp_path: Path) -> None:
    items, notes = read_items(write(tmp_path / "i.csv", "sku,price\na,1\nb,2\n"), ItemColumns("sku"))
    assert items.frame.rows() == [("a", None, None, None), ("b", None, None, None)]
    assert notes == []


def test_missing_columns_and_ids(tmp_path: Path) -> None:
    path = write(tmp_path / "i.csv", "sku,price\na,1\n,2\n")
    with pytest.raises(InputError, match="no column 'plot'; there are: 'sku', 'price'"):
        read_items(path, ItemColumns("sku", text=["plot"]))
    with pytest.raises(InputError, match="line 3 has no id in column 'sku'"):
        read_items(path, ItemColumns("sku"))
