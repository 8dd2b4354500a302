"""Recommendations as mappings, frames and notebook tables."""

import sys
from uuid import UUID

import polars as pl
import pytest

from alignrec_geo.dataset import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.graph import to_hetero
from alignrec_geo.models import Popularity
from alignrec_geo.serving import Recommendation, Recommendations, SimilarItems, load_top_items

COLUMNS = ["user", "rank", "item", "title", "score", "source", "cold"]


@pytest.fixture
def model():
    clicks = pl.DataFrame({"user": [n // 4 + 7 for n in range(40)], "item": [f"i{n * 3 % 11}" for n in range(40)]})
    items = pl.DataFrame({"id": [f"i{n}" for n in range(11)], "title": [f"Item <{n}>" for n in range(11)]})
    return Popularity.from_dataset(Dataset.from_frame(clicks, items=items))


def test_still_a_dictionary_of_lists(model):
    found = model.recommend([8, 7], k=2)
    assert isinstance(found, dict)
    assert list(found) == [8, 7]
    assert isinstance(found[8][0], Recommendation)
    assert found == {8: found[8], 7: found[7]}


def test_a_frame_has_one_row_per_user_and_item(model):
    found = model.recommend([8, 7], k=3)
    frame = found.to_frame()
    assert frame.columns == COLUMNS
    assert frame["user"].dtype == pl.Int64
    assert frame["user"].to_list() == [8, 8, 8, 7, 7, 7]
    assert frame["rank"].to_list() == [1, 2, 3] * 2
    assert frame["item"].to_list() == [one.item for items in found.values() for one in items]
    assert frame["title"][0] == found[8][0].title
    assert frame["source"].unique().to_list() == ["model"]
    pandas = pytest.importorskip("pandas")
    assert isinstance(found.to_pandas(), pandas.DataFrame)
    assert found.to_pandas()["rank"].tolist() == [1, 2, 3] * 2


def test_similar_items_are_a_list_and_a_frame(model):
    found = model.similar_items("i3", k=4)
    assert isinstance(found, list)
    assert found.to_frame().columns == COLUMNS[1:]
    assert found.to_frame()["item"].to_list() == [one.item for one in found]
    assert found._repr_html_().count("<tr>") == 5
    assert len(found.to_pandas()) == 4


@pytest.mark.parametrize(
    ("ids", "kind", "values"),
    [
        (["a", "b"], pl.String, ["a", "b"]),
        ([1, 2], pl.Int64, [1, 2]),
        ([1, "b"], pl.String, ["1", "b"]),
        ([UUID(int=1), UUID(int=2)], pl.String, [str(UUID(int=1)), str(UUID(int=2))]),
    ],
)
def test_users_keep_the_type_they_were_given_in(ids, kind, values):
    found = Recommendations({name: [Recommendation("mug", None, 0.5)] for name in ids})
    assert found.to_frame()["user"].dtype == kind
    assert found.to_frame()["user"].to_list() == values


def test_items_keep_the_type_they_were_given_in(tmp_path):
    clicks = pl.DataFrame({"user": [n // 4 for n in range(40)], "item": [n * 3 % 11 for n in range(40)]})
    model = Popularity.from_dataset(Dataset.from_frame(clicks))
    found = model.recommend([1, 2], k=3)
    assert found[1][0].item == str(found.to_frame()["item"][0])
    assert found.to_frame()["item"].dtype == pl.Int64
    assert found.to_frame().join(clicks, on="item").height > 0
    model.save(tmp_path / "run")
    assert load_top_items(tmp_path / "run").similar(3, k=2).to_frame()["item"].dtype == pl.Int64
    graph = to_hetero(Dataset.from_frame(clicks))
    assert Dataset.from_hetero(graph).source.get("item_ids") is None  # as to_hetero writes them: text
    del graph["item"].external_id
    assert Dataset.from_hetero(graph).source["item_ids"] == "whole numbers"
    found[2].append(Recommendation("n-1", None, 0.1))
    assert found.to_frame()["item"].dtype == pl.String


def test_nothing_found_is_an_empty_frame():
    for frame in (Recommendations().to_frame(), Recommendations({"ann": []}).to_frame()):
        assert frame.height == 0
        assert frame.columns == COLUMNS
    assert SimilarItems().to_frame().height == 0


def test_a_notebook_shows_the_first_rows_as_text(model):
    page = model.recommend([7, 8, 9, 10], k=8)._repr_html_()
    assert page.count("<tr>") == 21
    assert "more rows" in page
    assert "Item &lt;" in page
    assert "Item <" not in page


def test_pandas_need_not_be_there(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setattr("alignrec_geo.serving.results.find_spec", lambda name: None)
    with pytest.raises(InputError, match="to_pandas needs pandas, which is not installed: pip install pandas"):
        model.recommend([7]).to_pandas()
