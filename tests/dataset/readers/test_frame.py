import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import torch

from alignrec_geo.dataset import SplitConfig
from alignrec_geo.dataset.images import ImageSource
from alignrec_geo.dataset.readers.arrays import checked_sparse, numbers_in
from alignrec_geo.dataset.readers.frame import from_frame
from alignrec_geo.errors import InputError
from tests.dataset.toys import png

CLICKS = {
    "who": [1, 1, 1, 2],
    "what": ["mug", "pen", "cup", "mug"],
    "part": ["train", "valid", "test", "train"],
    "when": [1.5, 2.5, 3.5, 4.5],
    "stars": [5, 4, 3, 2],
}
ITEMS = {"id": ["pen", "mug"], "title": ["A pen", None], "text": ["It writes", "It holds tea."]}


@pytest.mark.parametrize("make", [pl.DataFrame, pd.DataFrame, pl.LazyFrame])
def test_polars_and_pandas_give_the_same(make: type) -> None:
    data = from_frame(
        make(CLICKS),
        name="shop",
        user="who",
        item="what",
        split="part",
        timestamp="when",
        rating="stars",
        items=make(ITEMS),
    )
    assert data.users["id"].to_list() == ["1", "2"]
    assert data.items.rows() == [
        ("cup", None, None, None),
        ("mug", None, "It holds tea.", None),
        ("pen", "A pen", "It writes", None),
    ]
    assert data.interactions.split.tolist() == [0, 1, 2, 0]
    assert data.interactions.timestamp is not None
    assert data.interactions.timestamp.tolist() == [1.5, 2.5, 3.5, 4.5]


def test_features_by_id_by_number_and_by_items_row() -> None:
    clicks = pl.DataFrame({"user": ["a", "a", "b"], "item": [0, 2, 1]})
    eye = np.eye(3)
    data = from_frame(clicks, features={"by_row": eye, "by_id": ([2, 0], eye[:2])})
    np.testing.assert_array_equal(data.features("by_row").matrix, eye)
    assert data.features("by_id").matrix.tolist() == [[0, 1, 0], [0, 0, 0], [1, 0, 0]]
    named = from_frame(
        pl.DataFrame(CLICKS), user="who", item="what", items=pl.DataFrame(ITEMS), features={"x": eye[:2, :2]}
    )
    assert named.features("x").matrix.tolist() == [[0, 0], [0, 1], [1, 0]]
    with pytest.raises(InputError, match="features 'x' has 2 rows, 3 are needed"):
        from_frame(clicks, features={"x": eye[:2]})


def test_rules_filters_texts_and_images(tmp_path: Path) -> None:
    (tmp_path / "mug.png").write_bytes(png())
    options = {"user": "who", "item": "what", "rating": "stars", "min_rating": 3, "k_core": 1}
    data = from_frame(
        pl.DataFrame(CLICKS),
        items=pl.DataFrame({**ITEMS, "more": ["Blue", "Red"]}),
        text=["text", "more"],
        all_items=True,
        rule=SplitConfig(rule="random", seed=4),
        images=tmp_path,
        **options,  # type: ignore[arg-type]
    )
    assert data.items["text"].to_list() == [None, "It holds tea. Red", "It writes. Blue"]
    assert data.split_config.seed == 4
    assert isinstance(data.images, ImageSource)
    single = from_frame(pl.DataFrame(CLICKS), items=pl.DataFrame(ITEMS), text="title", **options)  # type: ignore[arg-type]
    assert single.items["text"].to_list() == [None, None, "A pen"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"user": "who"}, "interactions frame: no column 'user'; there are: 'who'"),
        ({"split": "part", "rule": SplitConfig(rule="random")}, "contradict each other"),
        ({"k_core": 0}, "k_core: Input should be greater"),
        ({"items": [1]}, r"items: a polars or pandas frame is needed \(got 'list'\)"),
        ({"items": ITEMS | {}}, r"items: a polars or pandas frame is needed \(got 'dict'\)"),
    ],
)
def test_what_cannot_be_followed(options: dict[str, object], message: str) -> None:
    columns = {"user": "user"} if "user" in options else {"user": "who"}
    with pytest.raises(InputError, match=message):
        from_frame(pl.DataFrame(CLICKS), item="what", **{**options, **columns})  # type: ignore[arg-type]


def test_python_objects_may_be_ids() -> None:
    keys = [uuid.UUID(int=number) for number in (1, 2, 3)]
    for made in (pd.DataFrame, pl.DataFrame):
        data = from_frame(made({"user": keys, "item": ["x", "y", "x"]}))
        assert data.users["id"].to_list() == [str(key) for key in keys]
    mixed = pd.DataFrame({"user": [1, "a", np.int8(1)], "item": [1, 2, 3], "other": [{}, (), 3j]})
    assert from_frame(mixed).users["id"].to_list() == ["1", "a"]
    with pytest.raises(InputError, match=r"interactions frame: column 'user'.*got 'tuple'"):
        from_frame(pd.DataFrame({"user": [1, (2,)], "item": [1, 2]}))


def test_types_that_are_no_ids_are_one_line() -> None:
    for values in (pd.period_range("2024", periods=2), pd.timedelta_range("1s", periods=2), pd.interval_range(0, 2)):
        with pytest.raises(InputError, match=r"interactions frame: column 'item' .*"):
            from_frame(pd.DataFrame({"user": ["a", "b"], "item": values}))


def test_texts_of_any_type_are_texts_or_one_line() -> None:
    clicks = pl.DataFrame({"user": ["a", "a"], "item": ["x", "y"]})
    mixed = from_frame(clicks, items=pd.DataFrame({"id": ["x", "y"], "title": ["a", 3]}))
    assert mixed.items["title"].to_list() == ["a", "3"]
    far = pl.Series([10**8], dtype=pl.Int32).cast(pl.Date)
    for values in (far, pl.Series([b"\xff"])):
        with pytest.raises(InputError, match="items frame: column 'text'"):
            from_frame(clicks, items=pl.DataFrame({"id": ["x"], "text": values}))


def test_ids_of_frames_match_whatever_their_types() -> None:
    clicks = pd.DataFrame({"user": ["a", "a", "b"], "item": [101.0, 102.0, 101.0]})
    for ids in ([101, 102], ["101", "102"], [101.0, 102.0], pd.array([101, 102], dtype="Int64"), ["101.0", "102.0"]):
        data = from_frame(clicks, items=pd.DataFrame({"id": ids, "title": ["One", "Two"]}))
        assert data.items.select("id", "title").rows() == [("101", "One"), ("102", "Two")]
        assert data.notes == ["items frame: 2 of 2 items matched"]


def test_frames_of_pandas_with_odd_columns() -> None:
    plain = pd.DataFrame({"user": ["a", "a", "b"], "item": ["x", "y", "x"]})
    assert from_frame(plain.set_index("user")).counts()["interactions"] == 3
    numbered = pd.DataFrame([["a", "x"], ["b", "x"]])
    assert from_frame(numbered, user=0, item=1).counts()["interactions"] == 2  # type: ignore[arg-type]
    twice = pd.DataFrame([["a", "x", "y"]], columns=["user", "item", "item"])
    with pytest.raises(InputError, match="interactions frame: several columns are called 'item'"):
        from_frame(twice)
    levels = pd.DataFrame([["a", "x"]], columns=pd.MultiIndex.from_tuples([("user", 1), ("item", 1)]))
    with pytest.raises(InputError, match="interactions: the columns of the pandas frame have 2 levels"):
        from_frame(levels)
    with pytest.raises(InputError, match="has no interactions"):
        from_frame(plain.head(0))
    with pytest.raises(InputError, match="interactions frame: no column 'user'; there are: 'who', 'item'"):
        from_frame(plain.rename(columns={"user": "who"}))


X = torch.tensor([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize(
    "given",
    [X.bfloat16(), X.clone().requires_grad_(), X.to_sparse(), X.half(), X.numpy(), X.tolist(), pl.DataFrame(X.numpy())],
)
def test_features_of_any_kind(given: object) -> None:
    clicks = pl.DataFrame({"user": ["a", "a", "b"], "item": ["x", "y", "x"]})
    data = from_frame(clicks, features={"image": (["y", "x"], given)})
    np.testing.assert_array_equal(data.features("image").matrix, X.flip(0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"user": ["who"]}, r"user: the name of a column is needed \(got \['who'\]\)"),
        ({"timestamp": True}, r"timestamp: the name of a column is needed \(got True\)"),
        ({"features": "image"}, "features: matrices by name are needed.*'image'"),
        ({"features": {1: X}}, r"features: a name is text \(got 1\)"),
        ({"features": {"image": (["x"], X, 3)}}, r"features 'image': \(ids, matrix\) or a matrix is needed"),
        ({"features": {"image": "x.npy"}}, "features 'image': a matrix or a list of numbers is needed .got 'x.npy'"),
        ({"features": {"image": (["x", None], X)}}, "features 'image': ids, number 2 of them: an id is missing"),
        ({"features": {"image": (["x", "y"], [[1], [2, 3]])}}, "features 'image': not a readable array of numbers"),
        ({"items": pl.DataFrame({"id": ["x"]}), "text": 3}, "text: the name of a column, or a list of names"),
        ({"title": "title"}, "title, text, image and item_columns are columns of the items frame"),
        ({"rule": 3}, "rule: a SplitConfig or the name of a rule is needed .got 3"),
        ({"rule": "newest"}, "rule: Input should be"),
        ({"images": 3}, "images: a folder or an archive of images is needed"),
        ({"min_rating": float("nan"), "rating": "stars"}, "min_rating"),
    ],
)
def test_wrong_types_of_arguments_are_one_line(options: dict[str, Any], message: str) -> None:
    clicks = pl.DataFrame({"user": ["a", "a", "b"], "item": ["x", "y", "x"], "stars": [1, 2, 3]})
    with pytest.raises(InputError, match=message):
        from_frame(clicks, **options)


def test_a_lazy_frame_that_fails_is_one_line() -> None:
    with pytest.raises(InputError, match="interactions frame: not a readable lazy frame"):
        from_frame(pl.LazyFrame({"user": ["a"], "item": ["b"]}).select(pl.col("nothing")))


def test_arrays_of_every_kind() -> None:
    wanted = [[1.0, 0.0], [0.0, 2.0]]
    dense = torch.tensor(wanted)
    ragged = np.empty(2, dtype=object)
    ragged[:] = wanted  # a column of lists, as pandas holds it
    given = (
        scipy.sparse.csr_array(dense.numpy()),
        scipy.sparse.coo_matrix(dense.numpy()),
        ragged,
        dense.to_sparse_csc(),
    )
    for values in given:
        assert np.asarray(numbers_in(values, "features 'x'")).tolist() == wanted
    ragged[0] = [1.0]
    with pytest.raises(InputError, match="features 'x': not a readable array of numbers"):
        numbers_in(ragged, "features 'x'")


def test_indices_of_compressed_columns_are_checked() -> None:
    parts = torch.tensor([0, 1, 2]), torch.tensor([0, 9]), torch.ones(2)
    with torch.sparse.check_sparse_tensor_invariants(enable=False):
        bad = torch.sparse_csc_tensor(*parts, (2, 2))
    with pytest.raises(RuntimeError, match="row_indices"):
        checked_sparse(bad)


def test_images_of_any_iterable_are_taken_as_they_come(tmp_path: Path) -> None:
    data = from_frame(pl.DataFrame(CLICKS), user="who", item="what", images=[("mug", ".png", png())], rule="all-train")
    assert data.save(tmp_path / "d").items["image"].to_list() == [None, "images/mug.png", None]
