import json
from pathlib import Path

import numpy as np
import pytest

from alignrec_geo.dataset import Dataset, SplitConfig
from alignrec_geo.dataset.readers.table import TableConfig, read_table
from alignrec_geo.errors import InputError
from alignrec_geo.settings import checked
from tests.dataset.toys import png, write

CLICKS = """who,what,stars,when,part
ann,mug,5,2024-01-01,train
ann,pen,4,2024-01-02,train
ann,cup,3,2024-01-03,valid
bob,mug,5,2024-01-04,train
bob,pen,1,2024-01-05,test
cid,elk,5,2024-01-06,none
"""


@pytest.fixture
def clicks(tmp_path: Path) -> Path:
    return write(tmp_path / "clicks.csv", CLICKS)


def config(path: Path, **options: object) -> TableConfig:
    return checked(TableConfig, {"interactions": path, "user": "who", "item": "what", **options})


def test_everything_beside_the_interactions(clicks: Path, tmp_path: Path) -> None:
    products = [{"sku": "pen", "name": "A pen", "about": {"long": "It writes."}}, {"sku": "ink", "name": "Ink"}]
    items = write(tmp_path / "products.jsonl", "\n".join(map(json.dumps, products)))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "mug.png").write_bytes(png())
    features = write(tmp_path / "colour.csv", "sku,red\nmug,1\nink,2\n")
    data = read_table(
        config(
            clicks,
            name="shop",
            rating="stars",
            timestamp="when",
            split="part",
            split_unused=("none",),
            items=items,
            item_id="sku",
            title="name",
            text=("about.long",),
            all_items=True,
            images=tmp_path / "photos",
            features={"colour": features},
        )
    ).save(tmp_path / "out")
    read = Dataset.open(tmp_path / "out")
    assert read.name == "shop"
    assert read.items.rows() == [
        ("cup", None, None, None),
        ("elk", None, None, None),
        ("ink", "Ink", None, None),
        ("mug", None, None, "images/mug.png"),
        ("pen", "A pen", "It writes.", None),
    ]
    assert data.features("colour").matrix.ravel().tolist() == [0, 0, 2, 1, 0]
    assert read.interactions.split.tolist() == [0, 0, 1, 0, 2, -1]
    assert read.interactions.rating is not None
    assert read.interactions.rating.tolist() == [5, 4, 3, 5, 1, 5]
    assert read.interactions.timestamp is not None
    assert (np.diff(read.interactions.timestamp) == 86400).all()


def test_rows_of_no_split_can_be_left_out_with_their_users_and_items(clicks: Path) -> None:
    data = read_table(config(clicks, split="part", split_unused=("none",), drop_unused=True))
    assert data.users["id"].to_list() == ["ann", "bob"]
    assert data.items["id"].to_list() == ["cup", "mug", "pen"]
    assert data.name == "clicks"


def test_filters_and_rules(clicks: Path) -> None:
    data = read_table(
        config(clicks, rating="stars", timestamp="when", min_rating=3, rule=SplitConfig(rule="leave-last"))
    )
    assert len(data.interactions) == 5
    assert data.notes == ["1 rows with a rating below 3.0 were left out"]
    assert data.interactions.split.tolist() == [0, 1, 2, 0, 0]


def test_features_of_items_that_a_filter_removed_are_left_out(clicks: Path, tmp_path: Path) -> None:
    features = write(tmp_path / "f.csv", "what,x\nmug,1\nelk,2\n")
    data = read_table(config(clicks, k_core=2, features={"x": features}))
    assert data.items["id"].to_list() == ["mug", "pen"]
    assert data.features("x").matrix.ravel().tolist() == [1, 0]
    assert (
        "features 'x': 1 of 2 items have them; not for example 'pen'; 1 rows belong to no item, e.g. 'elk'"
        in data.notes
    )


def test_files_without_a_header_line(tmp_path: Path) -> None:
    path = write(tmp_path / "u.data", "1\t9\t5\n2\t9\t4\n")
    data = read_table(TableConfig(interactions=path, columns=("user", "item", "rating"), rating="rating"))
    assert data.users["id"].to_list() == ["1", "2"]
    assert data.items["id"].to_list() == ["9"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split_unused": ("x",)}, "need a split column; name it with split="),
        ({"drop_unused": True}, "need a split column"),
        ({"split": "part", "rule": SplitConfig(rule="random")}, "contradict each other"),
        ({"rule": SplitConfig(rule="given")}, "split rule 'given' needs a split column"),
        ({"title": "name"}, "title= needs a file of items"),
        ({"text": ("a",)}, "text= needs a file of items"),
        ({"all_items": True}, "all_items= needs a file of items"),
        ({"split": "part"}, "line 7 holds 'none' in split column 'part'.*split_unused='none'"),
        ({"rating": "when"}, "line 2 holds '2024-01-01' in column 'when'"),
        ({"timestamp": "part"}, "line 2 holds 'train' in column 'part'"),
        ({"min_rating": 3.0}, "needs a rating column"),
        ({"k_core": 0}, "k_core: Input should be greater than or equal to 1"),
        ({"colour": "red"}, "colour"),
        ({"images": Path("nowhere.tar")}, "no such folder, tar or zip file of images"),
        ({"items": Path("nowhere.csv")}, "nowhere.csv: no such file"),
    ],
)
def test_options_that_cannot_be_followed(clicks: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_table(config(clicks, **options))


@pytest.mark.realdata
@pytest.mark.slow
def test_ml_1m_has_its_counts(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "ml-1m"
    data = read_table(
        TableConfig(
            interactions=folder / "ml-1m.inter.gz",
            user="userID",
            item="movieID",
            split="x_label_bars20",
            split_unused=("-1",),
            items=folder / "movies.jsonl.gz",
            item_id="movieID",
            title="title",
            text=("omdb.Plot",),
            images=folder / "posters_224.tar",
        )
    ).save(tmp_path / "ml-1m")
    assert data.counts() == {
        "users": 6040, "items": 3706, "interactions": 1000209, "train": 796244, "validation": 99455, "test": 99455
    }  # fmt: skip
    both = data.items["image"].is_not_null() & data.items["text"].is_not_null()
    assert both.sum() == 3255
    assert data.items["title"].is_not_null().all()


@pytest.mark.realdata
def test_ml_100k_has_its_counts(shared_data: Path) -> None:
    data = read_table(
        TableConfig(
            interactions=shared_data / "ml-100k" / "u.data",
            columns=("user", "item", "rating", "timestamp"),
            rating="rating",
            timestamp="timestamp",
        )
    ).counts()
    assert (data["users"], data["items"], data["interactions"]) == (943, 1682, 100000)
