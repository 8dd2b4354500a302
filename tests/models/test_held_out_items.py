"""Items that a split holds out whole: found by their content in validation and test."""

import numpy as np
import pytest
import torch

from alignrec_geo import explain, make_catalogue
from alignrec_geo.dataset import Features, Split, SplitConfig
from alignrec_geo.errors import InputError
from alignrec_geo.evaluation import Evaluator
from alignrec_geo.models import VBPR, AlignRec, ContentKNN, LightGCN
from alignrec_geo.models.held_out import HeldOut, holds_out_items, tables_of
from alignrec_geo.serving import NeighbourMean, load_top_items
from alignrec_geo.training import fit


@pytest.fixture(scope="module")
def data():
    made = make_catalogue(n_users=150, n_items=80, image_size=16)
    return made.with_split(SplitConfig(rule="cold-items", validation=0.15, test=0.2))


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    model = AlignRec.from_dataset(data, config={"dim": 16})
    run = tmp_path_factory.mktemp("held-out") / "run"
    return model, fit(model, config={"epochs": 12, "lr": 0.01}, out=run), run


def cold(data):
    return data.interactions.of(Split.TRAIN).item_degree() == 0


def test_they_are_placed_as_embed_places_new_items(data, trained):
    model, result, _ = trained
    own = NeighbourMean(model.embeddings(), data, model.features).own()
    rows = data.item_rows(own.ids)
    assert sorted(rows.tolist()) == np.flatnonzero(cold(data)).tolist()
    torch.testing.assert_close(result.embeddings.items[torch.from_numpy(rows)], own.vectors)
    warm = torch.from_numpy(~cold(data))
    torch.testing.assert_close(result.embeddings.items[warm], model.embeddings().items[warm])
    torch.testing.assert_close(result.embeddings.users, model.embeddings().users)


def test_validation_can_choose_the_epoch_and_test_finds_them(data, trained):
    model, result, _ = trained
    test = Evaluator(data, Split.TEST)
    assert test(result.embeddings).metrics == result.metrics
    assert result.metrics["recall@20"] > 2 * test(model.embeddings()).metrics["recall@20"]
    assert Evaluator(data, Split.VALIDATION)(result.embeddings).metrics == result.validation
    assert result.validation["recall@20"] > 0


def test_a_model_recommends_what_its_run_folder_does(data, trained):
    model, _, run = trained
    name = data.users["id"][int(data.interactions.of(Split.TEST).user[0])]
    served = [one.item for one in load_top_items(run).recommend(name, k=20)[name]]
    assert [one.item for one in model.recommend(name, k=20)[name]] == served
    assert cold(data)[data.item_rows(served)].any()


@pytest.mark.parametrize("model", [VBPR, LightGCN, ContentKNN])
def test_other_models(data, model):
    made = model.from_dataset(data)
    placed = HeldOut(made, data).places(int(np.flatnonzero(cold(data))[0]))
    assert placed == (model is VBPR)  # the others know nothing of content, or rank such items by themselves
    same = torch.equal(tables_of(made, data).items, made.embeddings().items)
    assert same != placed


def test_items_without_content_keep_their_vectors(data):
    held = np.flatnonzero(cold(data))
    rows, present = np.random.default_rng(0).normal(size=(80, 4)).astype(np.float32), np.ones(80, dtype=bool)
    rows[held[:3]], present[held[:3]] = 0, False
    some = data.with_features(Features("some", rows, present))
    model = VBPR.from_dataset(some, features=["some"])
    own, made = model.embeddings().items, tables_of(model, some).items
    moved = (own != made).any(dim=1).numpy()
    assert np.flatnonzero(moved).tolist() == held[3:].tolist()


def test_without_content_on_trained_items_nothing_is_placed(data):
    rows = np.zeros((80, 4), dtype=np.float32)
    rows[cold(data)] = 1.0
    some = data.with_features(Features("some", rows, cold(data)))
    model = VBPR.from_dataset(some, features=["some"])
    assert torch.equal(tables_of(model, some).items, model.embeddings().items)


def test_other_splits_are_left_alone(data):
    usual = make_catalogue(n_users=150, n_items=80, image_size=16)
    assert not holds_out_items(usual.interactions)
    assert not holds_out_items(usual.with_split(SplitConfig(rule="all-train")).interactions)
    assert holds_out_items(data.interactions)
    one = data.interactions.split.copy()  # a single pair of a trained item among those to be found
    pairs = data.interactions
    one[int(np.flatnonzero(pairs.split == Split.TRAIN)[0])] = Split.TEST
    assert not holds_out_items(pairs.with_split(one))


def test_no_explanation_is_made_of_a_vector_that_is_not_the_model_s(data, trained):
    model, _, _ = trained
    user = data.users["id"][int(data.interactions.of(Split.TRAIN).user[0])]
    item = data.items["id"][int(np.flatnonzero(cold(data))[0])]
    with pytest.raises(InputError, match=f"item '{item}' has no training interaction: .* holds out whole items"):
        explain(model, user, item)
    ranked = [one.item for one in model.recommend(user, k=80)[user]]
    place, first = next((n, item) for n, item in enumerate(ranked, 1) if not cold(data)[data.item_rows([item])].any())
    assert explain(model, user, first).rank == place
