import json
import re
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from alignrec_geo.dataset import Dataset, Features, Interactions, SplitConfig, make_catalogue
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.graph.content_space import ContentSpace
from alignrec_geo.graph.modalities import Modality
from alignrec_geo.models import AlignRec
from alignrec_geo.serving import (
    ColdItems,
    NeighbourMean,
    TopItems,
    load_cold_items,
    load_top_items,
    save_cold_items,
)
from alignrec_geo.serving.store import EMBEDDINGS, save_embeddings, write_embeddings

# ann: train i0; bob: train i1, i2, test i3; nobody ever had i4; i5 has no content
PAIRS = Interactions(
    np.array([0, 1, 1, 1]), np.array([0, 1, 2, 3]), np.array([0, 0, 0, 2], dtype=np.int8), n_users=2, n_items=6
)
TABLES = Embeddings(
    torch.tensor([[1.0, 0.0], [0.0, 1.0]]),
    torch.tensor([[4.0, 0.0], [0.0, 2.0], [2.0, 4.0], [0.1, 0.1], [-0.1, 0.1], [0.3, 0.2]]),
)
CONTENT = np.array([[2, 0], [0, 1], [-2, -1], [3, 0], [0, 5], [0, 0]], dtype=np.float32)


def catalogue() -> tuple[Dataset, Embeddings]:
    """A data set with cold items, and random tables."""
    data = make_catalogue(n_users=80, n_items=60, image_size=16).with_split(SplitConfig(rule="cold-items"))
    generator = torch.Generator().manual_seed(0)
    return data, Embeddings(torch.randn(80, 8, generator=generator), torch.randn(60, 8, generator=generator) + 1)


@pytest.fixture
def dataset() -> Dataset:
    blank = pl.lit(None, dtype=pl.String)
    items = pl.DataFrame({"id": [f"i{n}" for n in range(6)]}).with_columns(title=pl.col("id").str.to_uppercase())
    made = Dataset("tiny", PAIRS, pl.DataFrame({"id": ["ann", "bob"]}), items.with_columns(text=blank, image=blank))
    return made.with_features(Features("look", CONTENT.copy(), CONTENT.any(axis=1)))


def test_one_neighbour_gives_its_vector(dataset):
    own = NeighbourMean(TABLES, dataset, ["look"], k=1).own()
    assert (own.ids, own.titles) == (["i3", "i4"], ["I3", "I4"])  # i5 has no content
    assert torch.allclose(own.vectors, TABLES.items[:2], atol=1e-6)


def test_the_formula_by_hand(dataset):
    rule = NeighbourMean(TABLES, dataset, ["look"], k=2)  # the warm items' content has mean zero
    x = torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    vectors, known = rule(rule.space.place([Modality("look", x, torch.tensor([True, False]))]))
    assert known.tolist() == [True, False]
    assert not vectors[1].any()
    mean = TABLES.items[:3].mean(dim=0)  # i0 and i1 are equally near
    offset = TABLES.items[:2] - mean
    expected = mean + F.normalize(offset.mean(dim=0), dim=0) * offset.norm(dim=1).mean()
    assert torch.allclose(vectors[0], expected, atol=1e-6)


def test_an_item_unlike_all_others_gets_a_finite_vector(dataset):
    rule = NeighbourMean(TABLES, dataset, ["look"], k=2)
    far = Modality("look", torch.tensor([[1.0, -50.0]]), torch.tensor([True]))
    vectors, known = rule(rule.space.place([far]))
    assert known.all()
    assert vectors.isfinite().all()
    assert vectors.any()


def test_restoring_the_distance_from_the_mean():
    data, tables = catalogue()
    rule = NeighbourMean(tables, data, ["image", "text"], k=20)
    own = rule.own()
    assert 0 < len(own) < 60
    warm = torch.from_numpy(data.interactions.of(0).item_degree() > 0)
    mean = tables.items[warm].mean(dim=0)
    typical = (tables.items[warm] - mean).norm(dim=1)
    distance = (own.vectors - mean).norm(dim=1)
    assert (distance >= typical.min()).all()
    assert (distance <= typical.max()).all()


def test_blocks_change_nothing(monkeypatch):
    data, tables = catalogue()
    whole = NeighbourMean(tables, data, ["image", "text"]).own()
    monkeypatch.setattr("alignrec_geo.kernels.topk.BLOCK_SCORES", 1)  # one item at a time
    assert torch.allclose(NeighbourMean(tables, data, ["image", "text"]).own().vectors, whole.vectors, atol=1e-6)


def test_a_missing_modality_makes_nothing_more_similar(dataset):
    look = Features("look", np.eye(6, 4, dtype=np.float32), np.ones(6, dtype=bool))
    words = np.array([[1, 0], [1, 0], [0, 1], [1, 0], [1, 0], [0, 1]], dtype=np.float32)
    has = np.array([True, False, True, True, True, True])
    data = dataset.with_features(look, Features("words", words, has))
    space = ContentSpace(data, ["look", "words"], torch.arange(6) < 3)
    assert space.widths == {"look": 4, "words": 2}
    rows = space.rows(torch.arange(6))
    length = rows.norm(dim=1)
    assert length[0] == pytest.approx(2**0.5)
    assert length[1] == pytest.approx(1.0)  # without words
    # half of what it would be with both: not scaled up for what is unknown
    assert float(rows[1] @ rows[1]) == pytest.approx(float(rows[0] @ rows[0]) / 2)
    assert rows[1, 4:].tolist() == [0.0, 0.0]


def test_bad_input(dataset):
    for arguments, words in (
        (([], 10), "a model without features knows nothing of new items"),
        ((["look"], 0), r"k must be at least 1 \(got 0\)"),
        ((["sound"], 10), "no features 'sound'"),
    ):
        with pytest.raises(InputError, match=words):
            NeighbourMean(TABLES, dataset, *arguments)
    blank = Features("look", CONTENT.copy(), np.arange(6) > 2)
    with pytest.raises(InputError, match="no item of data set 'tiny' has both a training interaction"):
        NeighbourMean(TABLES, dataset.with_features(blank), ["look"])


def test_recommend_ranks_cold_items_among_the_others(dataset):
    new = ColdItems(["n0", "i3"], ["New", "I3"], torch.tensor([[9.0, 1.0], [3.0, 3.0]]))
    top = TopItems(TABLES, dataset, new)
    before = top.recommend(["ann"], k=3)["ann"]
    assert [(got.item, got.cold) for got in before] == [("i2", False), ("i5", True), ("i3", True)]
    got = top.recommend(["ann", "bob"], k=3, include_cold=True)
    assert got["ann"] == [
        ("n0", "New", 9.0, True, "content"),
        ("i3", "I3", 3.0, True, "content"),
        ("i2", "I2", 2.0, False, "model"),
    ]
    assert "i3" not in [item.item for item in got["bob"]]  # seen
    assert top.recommend(["zoe"], k=1, unknown="popular", include_cold=True)["zoe"] == [
        ("i0", "I0", 1.0, False, "popular")
    ]
    with pytest.raises(InputError, match="no vectors of cold items"):
        TopItems(TABLES, dataset).recommend(["ann"], include_cold=True)
    with pytest.raises(InputError, match="item 'i0' has training interactions; it is not cold"):
        TopItems(TABLES, dataset, ColdItems(["i0"], [None], torch.ones(1, 2))).recommend(["ann"], include_cold=True)
    with pytest.raises(InputError, match="are 3 wide, the tables 2"):
        TopItems(TABLES, dataset, ColdItems(["n0"], [None], torch.ones(1, 3))).recommend(["ann"], include_cold=True)


def test_a_model_recommends_its_cold_items():
    data, _ = catalogue()
    model = AlignRec.from_dataset(data, config={"dim": 8})
    user = data.users["id"][0]
    assert any(item.cold for item in model.recommend([user], k=50, include_cold=True)[user])
    with pytest.raises(InputError, match="a model without features"):
        AlignRec.from_dataset(data, [], {"dim": 8}).recommend([user], include_cold=True)


def test_a_data_set_without_cold_items():
    data = make_catalogue(n_users=80, n_items=60, image_size=16)
    pairs = data.interactions
    data = replace(data, interactions=replace(pairs, split=np.zeros(len(pairs), dtype=np.int8)))
    assert (data.interactions.item_degree() > 0).all()
    model = AlignRec.from_dataset(data, config={"dim": 8})
    user = data.users["id"][0]
    assert model.recommend([user], include_cold=True) == model.recommend([user])
    top = model.top_items()
    assert len(NeighbourMean(top.embeddings, data, ["image"]).own()) == 0


def test_save_and_load(dataset, tmp_path):
    save_embeddings(tmp_path, TABLES, dataset)
    file, tables = tmp_path / "cold.safetensors", tmp_path / EMBEDDINGS
    with pytest.raises(
        InputError, match=f"no vectors of cold items yet; .* alignrec-geo embed {re.escape(str(tmp_path))}"
    ):
        load_top_items(tmp_path, include_cold=True)
    items = NeighbourMean(TABLES, dataset, ["look"]).own() + ColdItems(["ü"], [None], torch.ones(1, 2))
    save_cold_items(file, items, tables)
    first = file.read_bytes()
    save_cold_items(file, items, tables)
    assert file.read_bytes() == first
    again = load_cold_items(file, tables)
    assert (again.ids, again.titles) == (["i3", "i4", "ü"], ["I3", "I4", None])
    assert torch.equal(again.vectors, items.vectors)
    top = load_top_items(tmp_path, include_cold=True)
    assert "ü" in [item.item for item in top.recommend(["ann"], include_cold=True)["ann"]]
    file.write_bytes(first[:20])
    with pytest.raises(InputError, match=r"cold\.safetensors: not a readable safetensors file, or damaged"):
        load_cold_items(file, tables)
    file.write_bytes(first)
    write_embeddings(tmp_path, Embeddings(TABLES.users, TABLES.items + 1))
    with pytest.raises(InputError, match="made from other tables"):
        load_cold_items(file, tables)


@pytest.mark.parametrize(
    ("header", "vectors"),
    [
        ([1], torch.zeros(1, 2)),
        ({"ids": ["a"], "titles": [None]}, torch.zeros(1, 2)),
        ({"ids": "a", "titles": [None], "tables": ""}, torch.zeros(1, 2)),
        ({"ids": [1], "titles": [None], "tables": ""}, torch.zeros(1, 2)),
        ({"ids": ["a"], "titles": [3], "tables": ""}, torch.zeros(1, 2)),
        ({"ids": ["a"], "titles": [None, None], "tables": ""}, torch.zeros(1, 2)),
        ({"ids": ["a", "a"], "titles": [None, None], "tables": ""}, torch.zeros(2, 2)),
        ({"ids": ["a"], "titles": [None], "tables": ""}, torch.zeros(2)),
        ({"ids": ["a"], "titles": [None], "tables": ""}, torch.full((1, 2), torch.nan)),
    ],
)
def test_files_of_something_else(tmp_path, header, vectors):
    save_file({"vectors": vectors}, tmp_path / "cold.safetensors", {"cold": json.dumps(header)})
    (tmp_path / "tables").touch()
    with pytest.raises(InputError, match=r"cold\.safetensors: (not a|holds NaN)"):
        load_cold_items(tmp_path / "cold.safetensors", tmp_path / "tables")


def test_similar_to_a_new_item(dataset):
    new = ColdItems(["n0", "n1", "i3"], [None] * 3, torch.tensor([[5.0, 1.0], [5.0, 1.1], [5.0, 1.0]]))
    top = TopItems(TABLES, dataset, new)
    cosine = torch.nn.functional.cosine_similarity(TABLES.items, torch.tensor([[5.0, 1.0]]))
    expected = [f"i{number}" for number in cosine.argsort(descending=True, stable=True)]
    assert [found.item for found in top.similar("n0", k=6)] == expected
    assert all(found.source == "model" for found in top.similar("n0", k=6))
    assert [found.item for found in top.similar("n0", k=2, include_cold=True)] == ["i3", "n1"]
    assert top.similar("n0", k=2, include_cold=True)[1].source == "content"
    with pytest.raises(InputError, match="unknown item 'n0'"):
        TopItems(TABLES, dataset).similar("n0")
    with pytest.raises(InputError, match="no vectors of cold items"):
        TopItems(TABLES, dataset).similar("i0", include_cold=True)
