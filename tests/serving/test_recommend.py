import numpy as np
import polars as pl
import pytest
import torch

from alignrec_geo.dataset import Dataset, Interactions
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
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
        ("i2", None, 3.0, False),
        ("i3", "D", 2.0, True),
    ]  # i0 and i1 are seen; i3 has no training pair
    assert got["bob"] == [("i3", "D", 4.0, True), ("i1", "B", 2.0, True)]


def test_fewer_than_k_when_almost_everything_is_seen(dataset):
    assert [item.item for item in TopItems(TABLES, dataset).recommend(["ann"], k=10)["ann"]] == ["i2", "i3", "i4"]


def test_cold_users(dataset):
    top = TopItems(TABLES, dataset)
    with pytest.raises(InputError, match="unknown user 'zoe' in data set 'tiny'"):
        top.recommend(["ann", "zoe"])
    with pytest.raises(InputError, match="user 'eve' has no training interaction"):
        top.recommend(["eve"])
    got = top.recommend(["zoe", "ann", "eve"], k=2, cold="popular")
    assert got["zoe"] == [("i0", "A", 2.0, False), ("i2", None, 1.0, False)]
    assert [item.item for item in got["eve"]] == ["i0", "i2"]
    assert got["ann"][0].item == "i2"
    everything = top.recommend(["eve"], k=5, cold="popular")["eve"]
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
        top.recommend(["ann"], cold="random")
    with pytest.raises(InputError, match="the tables hold 2 users and 5 items"):
        TopItems(Embeddings(TABLES.users[:2], TABLES.items), dataset)


def test_save_and_load(dataset, tmp_path):
    save_embeddings(tmp_path / "run", TABLES, dataset)
    save_embeddings(tmp_path / "run", TABLES, dataset)  # once more over itself
    again = load_top_items(tmp_path / "run")
    assert again.recommend(["ann"]) == TopItems(TABLES, dataset).recommend(["ann"])
    file = tmp_path / "run" / "embeddings.safetensors"
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(InputError, match=r"embeddings\.safetensors: truncated"):
        load_top_items(tmp_path / "run")
    with pytest.raises(InputError, match="not a run folder"):
        load_top_items(tmp_path / "absent")
