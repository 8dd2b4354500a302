"""Models that begin with another's parameters."""

import polars as pl
import pytest
import torch

from alignrec_geo import Dataset, make_catalogue
from alignrec_geo.checkpoint import trainable_state
from alignrec_geo.dataset.extend import extended
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.graph.modalities import Modality
from alignrec_geo.models import MODELS
from alignrec_geo.serving import NeighbourMean
from alignrec_geo.training.warm_start import warm_start
from tests.golden_numbers import toy_graph

TRAINED = sorted({*MODELS} - {"random", "popularity", "content-knn"})


@pytest.fixture(scope="module")
def data():
    return make_catalogue(n_users=50, n_items=40, image_size=16)


@pytest.fixture(scope="module")
def more(data):
    """With a new user, and two new items: one with content, one without."""
    width = {name: data.features(name).width for name in data.feature_names}
    rows = {
        name: (torch.from_numpy(data.features(name).matrix[[3]]).numpy() + 0.01, data.features(name).present[[3]])
        for name in width
    }
    old = data.items["id"].to_list()
    frame = pl.DataFrame({"user": ["zoe"] * 4, "item": [*old[:2], "like-3", "bare"], "timestamp": range(4)})
    items = pl.DataFrame({"id": ["like-3"]})
    return extended(data, Dataset.from_frame(frame, timestamp="timestamp", rule="all-train"), items, rows).dataset


def built(name, data, seed):
    return MODELS[name].from_dataset(data, config={} if name == "grcn" else {"dim": 8}, seed=seed)


@pytest.mark.parametrize("name", ["alignrec", "bpr"])
def test_a_share_of_the_old_parameters_is_kept(name, data, more):
    trained = built(name, data, 1)
    whole, shrunk, fresh = (built(name, more, 2) for _ in range(3))
    warm_start(whole, trained)
    warm_start(shrunk, trained, keep=0.3)
    parts = zip(whole.parameters(), fresh.parameters(), shrunk.named_parameters(), strict=True)
    for kept, new, (key, value) in parts:
        torch.testing.assert_close(value, 0.3 * kept + 0.7 * new, msg=key)
    nothing = built(name, more, 2)
    warm_start(nothing, trained, keep=0)
    assert all(torch.equal(a, b) for a, b in zip(nothing.parameters(), fresh.parameters(), strict=True))
    for wrong in (-0.1, 1.5, float("nan")):
        with pytest.raises(InputError, match="keep must be from 0 to 1"):
            warm_start(shrunk, trained, keep=wrong)


@pytest.mark.parametrize("name", TRAINED)
def test_old_rows_are_the_trained_ones(name, data, more):
    trained, model = built(name, data, 1), built(name, more, 2)
    fresh = {key: value.clone() for key, value in trainable_state(model).items()}
    warm_start(model, trained)
    given, now = trainable_state(trained), trainable_state(model)
    for key, value in now.items():
        assert bool(torch.isfinite(value).all())
        old = given[key]
        if value.shape == old.shape:
            assert torch.equal(value, old), key
        elif len(old) == 90:  # users and items in one table
            assert torch.equal(value[:50], old[:50])
            assert torch.equal(value[51:91], old[50:])
        elif len(old) in (50, 40):
            assert torch.equal(value[: len(old)], old)
        if key in ("content", "encoder.tables.0"):
            assert torch.equal(value[40:], fresh[key][40:])  # the new item's own content


def test_a_new_item_begins_between_its_content_neighbours_and_one_without_content_where_it_was_drawn(data, more):
    trained, model = built("alignrec", data, 1), built("alignrec", more, 2)
    bare = model.item_embedding[41].clone()
    warm_start(model, trained)
    assert torch.equal(model.item_embedding[41], bare)
    tables = Embeddings(trained.user_embedding, trained.item_embedding)
    rule = NeighbourMean(tables, data, trained.features)
    parts = [
        Modality(name, *(torch.from_numpy(part[40:41]) for part in (found.matrix, found.present)))
        for name in trained.features
        for found in [more.features(name)]
    ]
    torch.testing.assert_close(model.item_embedding[40], rule(rule.space.place(parts))[0][0])


def test_the_same_data_gives_the_same_tables(data):
    trained, model = built("mgcn", data, 1), built("mgcn", data, 2)
    warm_start(model, trained)
    torch.testing.assert_close(model.embeddings(), trained.embeddings())


def test_models_that_do_not_go_together(data, more):
    trained = built("lightgcn", data, 1)
    with pytest.raises(InputError, match="BPRMF cannot begin"):
        warm_start(built("bpr", more, 1), trained)
    with pytest.raises(InputError, match="different settings: parameter 'user_embedding'"):
        warm_start(MODELS["lightgcn"].from_dataset(more, config={"dim": 4}), trained)
    with pytest.raises(InputError, match="does not begin with the users"):
        warm_start(built("lightgcn", make_catalogue(n_users=30, n_items=40, image_size=16), 1), trained)


def test_models_of_a_graph_have_no_rows_to_begin_with(data):
    with pytest.raises(InputError, match="needs models that were made for a data set"):
        warm_start(MODELS["lightgcn"](toy_graph()), built("lightgcn", data, 1))


def test_tables_of_what_is_not_new_stay_as_they_were(data):
    """A user came, and no item: only the users' table grows."""
    first, second = data.items["id"].to_list()[:2]
    frame = pl.DataFrame({"user": ["zoe"] * 2, "item": [first, second], "timestamp": range(2)})
    grown = extended(data, Dataset.from_frame(frame, timestamp="timestamp", rule="all-train")).dataset
    trained, model = built("bpr", data, 1), built("bpr", grown, 2)
    warm_start(model, trained, keep=1.0)
    assert torch.equal(model.item_embedding, trained.item_embedding)
    assert torch.equal(model.user_embedding[: len(trained.user_embedding)], trained.user_embedding)
    assert model.user_embedding.shape[0] == trained.user_embedding.shape[0] + 1
