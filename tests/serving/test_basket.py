"""Users of whom a basket is known and nothing else."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from alignrec_geo import load, make_catalogue
from alignrec_geo.dataset import Split
from alignrec_geo.errors import InputError
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.models import LightGCN, Popularity
from alignrec_geo.serving import ColdItems, TopItems, load_top_items
from alignrec_geo.serving.folding import Folding
from alignrec_geo.serving.folding_store import FOLDING, load_folding, save_folding
from alignrec_geo.serving.store import EMBEDDINGS
from alignrec_geo.training import fit


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    made = make_catalogue(n_users=100, n_items=60, image_size=16)
    return made.save(tmp_path_factory.mktemp("data") / "shop")


@pytest.fixture(scope="module")
def model(data):
    made = LightGCN.from_dataset(data, config={"dim": 8})
    fit(made, config={"epochs": 2, "lr": 0.02}, test=False)
    return made.eval()


def trained_items(data, user):
    train = data.interactions.of(Split.TRAIN)
    return [data.items["id"][int(row)] for row in train.item[train.user == user]]


def test_a_training_user_s_basket_gives_that_user_s_ranking(data):
    model = LightGCN.from_dataset(data, config={"dim": 8})
    with torch.no_grad():
        model.user_embedding.zero_()  # then the history is all that a user is known by
    top = model.top_items()
    name, items = data.users["id"][3], trained_items(data, 3)
    held = [i for i in data.interactions.item[data.interactions.user == 3] if data.items["id"][int(i)] not in items]
    own = top.recommend(name, k=60)[name]
    basket = top.recommend_for_items(items, k=60, without_items=[data.items["id"][int(i)] for i in held])
    assert [one.item for one in basket] == [one.item for one in own]
    assert [one.score for one in basket] == pytest.approx([one.score for one in own], abs=1e-5)
    assert basket.to_frame()["item"].to_list() == [one.item for one in own]


def test_items_of_the_basket_are_hidden_unless_they_are_to_be_kept(data, model):
    items = data.items["id"].head(3).to_list()
    top = model.top_items()
    hidden = {one.item for one in top.recommend_for_items(items, k=100)}
    kept = {one.item for one in top.recommend_for_items(items, k=100, seen="keep")}
    assert hidden == kept - set(items)
    assert len(kept) == 60
    assert top.recommend_for_items([*items, items[0]]) == top.recommend_for_items(items)  # each counts once
    assert top.recommend_for_items(items[0], k=1)[0].source == "model"


def test_what_is_no_basket(data, model):
    top = model.top_items()
    with pytest.raises(InputError, match="the basket is empty"):
        top.recommend_for_items([])
    with pytest.raises(InputError, match=r"unknown item 'no-such' in data set .*known are for example"):
        top.recommend_for_items([data.items["id"][0], "no-such"])
    with pytest.raises(InputError, match="seen must be one of hide, keep"):
        top.recommend_for_items(data.items["id"][0], seen="maybe")
    with pytest.raises(InputError, match=r"pass fold_in=model\.fold_in"):
        TopItems(top.embeddings, data).recommend_for_items(data.items["id"][0])


def test_an_item_that_came_later_counts_as_those_most_like_it(data, model):
    tables = model.embeddings()
    row = int(data.interactions.of(Split.TRAIN).item_degree().argmax())
    cold = ColdItems(["later"], ["A later mug"], tables.items[[row]])
    seen = []

    def fold_in(histories: CSR) -> torch.Tensor:
        seen.append(histories.matrix.to_dense()[0])
        return model.fold_in(histories)

    top = TopItems(tables, data, cold, fold_in)
    top.recommend_for_items(["later", data.items["id"][5]], include_cold=True)
    weights = seen[0]
    assert weights.sum() == pytest.approx(2.0)
    assert weights[row] == pytest.approx(0.1 + (row == 5))  # itself is most like it
    assert int((weights > 0).sum()) in (10, 11)
    names = {one.item for one in top.recommend_for_items(["later"], k=100, include_cold=True)}
    assert "later" not in names
    assert len(names) == 60


def test_the_rule_is_stored_with_the_tables_and_goes_out_of_date_with_them(data, model, tmp_path):
    model.save(tmp_path / "saved")
    items = data.items["id"].head(4).to_list()
    served = load_top_items(tmp_path / "saved")
    assert served.recommend_for_items(items) == model.top_items().recommend_for_items(items)
    file, tables = tmp_path / "saved" / FOLDING, tmp_path / "saved" / "embeddings.safetensors"
    rule = Folding(torch.ones(2, 3), "unit", torch.ones(3)) + Folding(torch.zeros(2, 3), "root")
    save_folding(tmp_path / "both", rule, tables)
    again = load_folding(tmp_path / "both", tables)
    assert (again.scale, again.bias.tolist(), again.table.shape) == ("unit", [1.0, 1.0, 1.0], (2, 3))
    assert (again.plus.scale, again.plus.bias, again.plus.plus) == ("root", None, None)
    Popularity.from_dataset(data).save(tmp_path / "other")
    assert load_folding(file, tmp_path / "other" / "embeddings.safetensors") is None
    save_folding(file, Folding(torch.full((2, 3), torch.nan), "mean"), tables)
    with pytest.raises(InputError, match="holds NaN or infinity"):
        load_top_items(tmp_path / "saved").recommend_for_items(items)
    file.write_bytes(b"no tensors")
    with pytest.raises(InputError, match=FOLDING):
        load_top_items(tmp_path / "saved").recommend_for_items(items)
    file.unlink()
    with pytest.raises(InputError, match="holds no rule by which users are folded in"):
        load_top_items(tmp_path / "saved").recommend_for_items(items)


@pytest.mark.parametrize("name", ["lightgcn", "lattice"], ids=["one table", "the model"])
def test_the_command_line(data, verb, tmp_path, name):
    run = tmp_path / "run"
    small = ("--set", "dim=8", "--set", "epochs=1", "--model", name)
    assert verb("train", data.path, "--out", run, *small).code == 0
    assert (run / FOLDING).exists() == (name == "lightgcn")
    first, second = data.items["id"][:2]
    line = ("recommend", run, "--basket", f"{first}, {second}", "-k", 5)
    told = json.loads(verb(*line, "--json").out)
    assert told["basket"] == [first, second]
    wanted = load(run).top_items().recommend_for_items([first, second], k=5)
    assert [one["item"] for one in told["items"]] == [one.item for one in wanted]
    assert [one["score"] for one in told["items"]] == pytest.approx([one.score for one in wanted], rel=1e-4)
    assert wanted[0].item in verb(*line).out
    kept = json.loads(verb(*line[:-1], 60, "--seen", "keep", "--json").out)["items"]
    assert {first, second} <= {one["item"] for one in kept}
    verb("recommend", run, "--basket", f"{first},none").refused("unknown item 'none'", "known are for example")
    verb("recommend", run, "--basket", " , ").refused("--basket")
    verb("recommend", run, "--basket", first, "--user", "ann").refused("--basket", "--user")


def test_a_damaged_rule_is_refused(data, model, tmp_path):
    model.save(tmp_path / "run")
    file = tmp_path / "run" / FOLDING
    tensors = load_file(file)
    for header, change, words in (
        ("abc", {}, "not a fold-in rule"),
        ("abc linear", {}, "not a fold-in rule"),
        ("abc root root", {"table.1": torch.ones(3)}, "not a fold-in rule"),
        ("abc root", {"bias.0": torch.ones(1, 1)}, "not a fold-in rule"),
        ("abc root", {"table.0": torch.full((2, 2), torch.nan)}, "holds NaN or infinity"),
    ):
        save_file({**tensors, **change}, file, {"folding": header})
        with pytest.raises(InputError, match=words):
            load_folding(file, tmp_path / "run" / EMBEDDINGS)


def test_a_rule_that_gives_no_numbers_is_named(data, model):
    top = model.top_items()
    top.fold_in = lambda histories: torch.full((1, top.embeddings.users.shape[1]), torch.inf)
    with pytest.raises(InputError, match="the basket gives a vector with NaN or infinity"):
        top.recommend_for_items([data.items["id"][0]])
