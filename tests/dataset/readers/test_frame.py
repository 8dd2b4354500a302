from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from alignrec_geo.dataset import SplitConfig
from alignrec_geo.dataset.images import ImageSource
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
    assert data.interactions.timestamp.tolist() == [1, 2, 3, 4]


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


def test_rules_filters_texts_and_pictures(tmp_path: Path) -> None:
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


def test_pandas_columns_of_mixed_types() -> None:
    mixed = pd.DataFrame({"user": [1, "a", (2,)], "item": [1, 2, 3]})
    with pytest.raises(InputError, match="interactions: the pandas frame cannot be converted"):
        from_frame(mixed)
