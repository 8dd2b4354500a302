import numpy as np
import polars as pl
import pytest
import torch

from alignrec_geo.dataset import Dataset, Interactions
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.models import MODELS
from alignrec_geo.serving import TopItems, load_top_items, save_embeddings

# ann: train i0, validation i1; bob: train i0 i2; eve: test only
PAIRS = Interactions(
    np.array([0, 0, 1, 1, 2]), np.array([0, 1, 0, 2, 3]), np.array([0, 1, 0, 0, 2], dtype=np.int8), n_users=3, n_items=5
)
TABLES = Embeddings(
    torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]),
    torch.tensor([[5.0, 1.0], [4.0, 2.0], [3.0, 3.0], [2.0, 4.0], [1.0, 0.0]]),
)


@pytest.fixture
def dataset() -> Dataset:
    blank = pl.lit(None, dtype=pl.String)
    titles = pl.Series("title", ["A", "B", None, "D", "E"])
    items = pl.DataFrame({"id": [f"i{n}" for n in range(5)]}).with_columns(titles, text=blank, image=blank)
    return Dataset("tiny", PAIRS, pl.DataFrame({"id": ["ann", "bob", "eve"]}), items)


def test_best_unseen_items_by_dot_product_with_titles(dataset):
    got = TopItems(TABLES, dataset).recommend(["bob", "ann"], k=2)
    assert list(got) == ["bob", "ann"]
    assert got["ann"] == [
        ("i2", None, 3.0, False, "model"),
        ("i3", "D", 2.0, True, "model"),
    ]  # i0 and i1 are seen; i3 has no training pair
    assert got["bob"] == [("i3", "D", 4.0, True, "model"), ("i1", "B", 2.0, True, "model")]


def test_fewer_than_k_when_almost_everything_is_seen(dataset):
    assert [item.item for item in TopItems(TABLES, dataset).recommend(["ann"], k=10)["ann"]] == ["i2", "i3", "i4"]


def test_cold_users(dataset):
    top = TopItems(TABLES, dataset)
    with pytest.raises(InputError, match="unknown user 'zoe' in data set 'tiny'"):
        top.recommend(["ann", "zoe"])
    with pytest.raises(InputError, match="user 'eve' has no training interaction"):
        top.recommend(["eve"])
    got = top.recommend(["zoe", "ann", "eve"], k=2, unknown="popular")
    assert got["zoe"] == [("i0", "A", 2.0, False, "popular"), ("i2", None, 1.0, False, "popular")]
    assert [item.item for item in got["eve"]] == ["i0", "i2"]
    assert got["ann"][0].item == "i2"
    everything = top.recommend(["eve"], k=5, unknown="popular")["eve"]
    assert "i3" not in [item.item for item in everything]  # eve has seen it


def test_similar_items(dataset):
    got = TopItems(TABLES, dataset).similar("i0", k=2)
    unit = torch.nn.functional.normalize(TABLES.items, dim=1)
    assert [item.item for item in got] == ["i4", "i1"]
    assert got[0].score == pytest.approx(float(unit[0] @ unit[4]))
    with pytest.raises(InputError, match="unknown item 'i9'"):
        TopItems(TABLES, dataset).similar("i9")


def test_bad_arguments(dataset):
    top = TopItems(TABLES, dataset)
    for call in (lambda: top.recommend(["ann"], k=0), lambda: top.similar("i0", k=0)):
        with pytest.raises(InputError, match=r"k must be at least 1 \(got 0\)"):
            call()
    with pytest.raises(InputError, match=r"unknown policy .*\(got 'random'\); allowed: error, popular"):
        top.recommend(["ann"], unknown="random")
    with pytest.raises(InputError, match="the tables hold 2 users and 5 items"):
        TopItems(Embeddings(TABLES.users[:2], TABLES.items), dataset)


def test_save_and_load(dataset, tmp_path):
    save_embeddings(tmp_path / "run", TABLES, dataset)
    save_embeddings(tmp_path / "run", TABLES, dataset)  # once more over itself
    again = load_top_items(tmp_path / "run")
    assert again.recommend(["ann"]) == TopItems(TABLES, dataset).recommend(["ann"])
    file = tmp_path / "run" / "embeddings.safetensors"
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(InputError, match=r"embeddings\.safetensors: not a readable safetensors file, or damaged"):
        load_top_items(tmp_path / "run")
    with pytest.raises(InputError, match="not a run folder"):
        load_top_items(tmp_path / "absent")


@pytest.fixture
def numbered() -> Dataset:
    """Users 0 to 29 and items 10 to 29, as whole numbers."""
    rows = [(u, 10 + (u * 3 + k) % 20) for u in range(30) for k in range(5)]
    return Dataset.from_frame(pl.DataFrame(rows, schema=["user", "item"], orient="row"))


@pytest.mark.parametrize(
    ("users", "keys"),
    [
        ("13", ["13"]),
        (13, [13]),
        (np.int64(13), [13]),
        ([13, "14"], [13, "14"]),
        (("13", "13"), ["13"]),
        ({13}, [13]),
        ((user for user in ["13"]), ["13"]),
        (np.array([13, 14]), [13, 14]),
        (np.array(["13"]), ["13"]),
        (torch.tensor([13, 14]), [13, 14]),
        (torch.tensor(13), [13]),
        ([torch.tensor(13)], [13]),
        (pl.Series([13, 14]), [13, 14]),
        ([13.0], [13.0]),
        (b"13", [b"13"]),
        ([], []),
    ],
)
def test_users_in_any_form_come_back_as_they_were_given(numbered, users, keys):
    model = MODELS["popularity"].from_dataset(numbered)
    got = model.recommend(users, k=2)
    assert list(got) == keys
    for key, items in got.items():
        assert items == model.recommend([str(int(key))], k=2)[str(int(key))]


def test_ids_of_other_types():
    pd, uuid = pytest.importorskip("pandas"), __import__("uuid")
    ids = [uuid.UUID(int=n) for n in range(4)]
    frame = pd.DataFrame({"user": [str(ids[n % 4]) for n in range(12)], "item": [n % 5 for n in range(12)]})
    model = MODELS["popularity"].from_dataset(Dataset.from_frame(frame))
    assert list(model.recommend(ids[1])) == [ids[1]]
    assert list(model.recommend(frame["user"][:2])) == [str(one) for one in ids[:2]]
    assert model.similar_items(3) == model.similar_items("3") == model.similar_items(np.int64(3))


@pytest.mark.parametrize("users", [None, {"13": 1}, [None], [["13"]], np.zeros((2, 2)), pl.DataFrame({"u": [1]}), [""]])
def test_what_are_no_users(numbered, users):
    with pytest.raises(InputError, match="users"):
        MODELS["popularity"].from_dataset(numbered).recommend(users)


def test_counts_that_are_none(numbered):
    model = MODELS["popularity"].from_dataset(numbered)
    for k in (0, -1, 2.5, True, "3", None):
        for call in (lambda k=k: model.recommend(13, k=k), lambda k=k: model.similar_items(12, k=k)):
            with pytest.raises(InputError, match="k must be"):
                call()
    assert len(model.recommend(13, k=10**9)[13]) == 15
    with pytest.raises(InputError, match="unknown user '99'"):
        model.recommend(99)
    with pytest.raises(InputError, match="item: an id is text"):
        model.similar_items([12])


def test_tables_are_checked(dataset):
    for tables, words in (
        (Embeddings(TABLES.users, torch.full((5, 2), float("nan"))), "table of items holds NaN or infinity in 5 rows"),
        (Embeddings(TABLES.users, torch.ones(5, 3)), r"must be \[U, D\] and \[I, D\]"),
        (Embeddings(TABLES.users.long(), TABLES.items.long()), "floating-point numbers"),
        (TABLES.users, "two tables are needed"),
    ):
        with pytest.raises(InputError, match=words):
            TopItems(tables, dataset)
    half = Embeddings(TABLES.users.half(), TABLES.items.double())
    assert TopItems(half, dataset).recommend("ann") == TopItems(TABLES, dataset).recommend("ann")
