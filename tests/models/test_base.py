from types import SimpleNamespace

import pytest
import torch

import alignrec_geo.models
from alignrec_geo import load_top_items
from alignrec_geo.dataset import Split, make_catalogue
from alignrec_geo.errors import InputError
from alignrec_geo.models import (
    BPRMF,
    MODELS,
    AlignRec,
    Batch,
    BPRMFConfig,
    Popularity,
    Recommender,
    find_model,
    model_name,
)
from alignrec_geo.training import TrainingConfig, fit
from tests.golden_numbers import toy_graph


def test_popularity_recommends_the_most_popular_unseen_items():
    data = make_catalogue(n_users=60, n_items=40, image_size=16)
    model = Popularity.from_dataset(data)
    result = fit(model)
    assert result.epochs == 0
    pairs = data.interactions
    counts = pairs.of(Split.TRAIN).item_degree()
    seen = set(pairs.item[pairs.user == 7].tolist())
    best = [row for row in sorted(range(40), key=lambda row: (-counts[row], row)) if row not in seen][:5]
    user = data.users["id"][7]
    assert [got.item for got in model.recommend([user], k=5)[user]] == [data.items["id"][row] for row in best]
    assert repr(model) == "Popularity(users=60, items=40)"


def test_five_lines(tmp_path):
    data = make_catalogue(n_users=60, n_items=40, image_size=16)
    model = AlignRec.from_dataset(data, features=["image", "text"], config={"dim": 8})
    fit(model, config=TrainingConfig(epochs=2))
    user = data.users["id"][0]
    top = model.recommend([user])
    model.save(tmp_path / "saved")
    assert model.similar_items(data.items["id"][0], k=3)[0].item != data.items["id"][0]
    assert load_top_items(tmp_path / "saved").recommend([user]) == top
    assert model.training


def test_a_model_made_from_a_graph_has_no_ids():
    with pytest.raises(ValueError, match="made from a graph alone"):
        AlignRec(toy_graph()).recommend(["1"])


def test_find_model_and_entry_points(monkeypatch):
    assert find_model("alignrec") is AlignRec
    assert [model_name(kind) for kind in MODELS.values()] == list(MODELS)
    with pytest.raises(InputError, match=r"unknown model \(got 'svd'\); there are: alignrec, .*popularity"):
        find_model("svd")

    class Entry:
        name, value = "third", f"{__name__}:Third"

        def __init__(self, target: object) -> None:
            self.load = lambda: target

    class Third(Popularity):
        pass

    Third.__qualname__ = "Third"
    for module in ("alignrec_geo.models.registry", "alignrec_geo.plugins"):
        monkeypatch.setattr(f"{module}.entry_points", lambda group: [Entry(Third)])
    assert find_model("third") is Third
    assert model_name(Third) == "third"
    monkeypatch.setattr("alignrec_geo.plugins.entry_points", lambda group: [Entry(dict)])
    with pytest.raises(InputError, match="is not a Recommender"):
        find_model("third")


def test_the_contract_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        Recommender()


def test_start_epoch_does_nothing_by_default():
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    AlignRec(toy_graph()).start_epoch(0, generator)
    assert torch.equal(before, generator.get_state())


@pytest.mark.parametrize("name", ["popularity", "random", "content-knn"])
def test_what_is_not_trained_has_no_terms(name):
    one, data = torch.tensor([0]), make_catalogue(n_users=20, n_items=30, image_size=16)
    assert MODELS[name].from_dataset(data).loss(Batch(one, one, one, 1)) == {}


def test_former_names_still_lead_there():
    with pytest.warns(DeprecationWarning, match="BPR is called BPRMF now"):
        assert alignrec_geo.models.BPR is BPRMF
    with pytest.warns(DeprecationWarning, match="BPRConfig is called BPRMFConfig now"):
        assert alignrec_geo.models.BPRConfig is BPRMFConfig
    with pytest.raises(AttributeError, match="no attribute 'SVD'"):
        _ = alignrec_geo.models.SVD


def test_a_model_without_an_entry_goes_by_its_class(monkeypatch):
    class Other(Popularity):
        pass

    entry = SimpleNamespace(name="third", value="somewhere:Else")
    monkeypatch.setattr("alignrec_geo.models.registry.entry_points", lambda group: [entry])
    assert model_name(Other) != "third"


def test_training_pairs_as_a_matrix():
    data = make_catalogue(n_users=60, n_items=40, image_size=16)
    for model in (Popularity.from_dataset(data), AlignRec.from_dataset(data)):
        train = data.interactions.of(Split.TRAIN)
        matrix = model.histories().matrix.to_dense()
        assert matrix.shape == (60, 40)
        assert matrix.count_nonzero() == len(train.user)
        assert bool((matrix[train.user, train.item] == 1).all())
