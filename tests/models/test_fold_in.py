"""Users folded in: what a model makes of a history equals what it made of a training user who had only that."""

import pytest
import torch

from alignrec_geo.embeddings import Embeddings
from alignrec_geo.graph.hetero import INTERACTS
from alignrec_geo.graph.neighbours import cosine_neighbours
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.models import MODELS
from alignrec_geo.models.base import Recommender
from alignrec_geo.models.dualgnn import common_users
from alignrec_geo.models.fold_in import propagated_folding
from alignrec_geo.serving.folding import RIDGE, Folding, fitted_folding
from tests.golden_numbers import toy_graph

OWN = ("user_embedding", "preferences", "embedding", "identity")
"""Parameters with a row per user."""
EXACT = sorted({*MODELS} - {"bpr", "vbpr", "random", "popularity", "dualgnn", "alignrec-plus"})
VARIANTS = [
    ("alignrec-plus", {"user_weight": 0.0}),
    ("alignrec", {"fusion": "mean"}),
    ("alignrec", {"fusion": "gate"}),
    ("alignrec", {"layers": 0}),
    ("lightgcn", {"layers": 3}),
    ("grcn", {"layers": 0, "routing_iterations": 0}),
    ("mmgcn", {"projected": "none", "layers": 2}),
]


@pytest.fixture
def no_own_rows(monkeypatch):
    """New users' own rows are taken for zero, so that what the propagation gives them shows alone."""
    zero = lambda model, table: Folding(torch.zeros(model.n_items, table.shape[1]), "mean")  # noqa: E731
    monkeypatch.setattr(Recommender, "own_rows", zero)


def built(name, **settings):
    return MODELS[name](toy_graph("image", "text"), config=settings, seed=3).eval()


def without_own_row(model, user):
    """The model with a user of whom nothing but the history is known."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.split(".")[0] in OWN:
                parameter[user] = 0.0
    return model


def history_of(model, *users):
    rows = [(place, item) for place, user in enumerate(users) for item in model.pairs[1][model.pairs[0] == user]]
    return CSR.pattern(*torch.tensor(rows).T, (len(users), model.n_items))


def check(model):
    for user in (0, 7, 23):
        without_own_row(model, user)
    folded = model.fold_in(history_of(model, 0, 7, 23))
    torch.testing.assert_close(folded, model.encode().users[[0, 7, 23]], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", EXACT)
def test_a_history_gives_what_a_training_user_with_it_has(name, no_own_rows):
    check(built(name))


@pytest.mark.parametrize(("name", "settings"), VARIANTS)
def test_with_other_settings(name, settings, no_own_rows):
    check(built(name, **settings))


@pytest.mark.parametrize("name", ["alignrec", "mgcn"])
def test_without_features(name, no_own_rows):
    check(MODELS[name](toy_graph("image", "text"), features=[], seed=3).eval())


@pytest.mark.parametrize("name", ["alignrec", "mgcn", "mmgcn", "grcn", "slmrec", "lattice"])
def test_with_items_that_lack_a_modality(name, no_own_rows):
    data = toy_graph("image", "text")
    data["item"].has_image[::2] = False
    data["item"].has_text[::3] = False
    check(MODELS[name](data, seed=3).eval())


def test_alignrec_plus_adds_the_users_whose_histories_are_most_alike(no_own_rows):
    model, alone = (without_own_row(built("alignrec-plus", user_weight=weight), 7) for weight in (0.5, 0.0))
    history = history_of(model, 7)
    own = cosine_neighbours(history, model.histories(), 10).matrix.to_dense()[0]
    users = alone.views().identity[: model.n_users]
    expected = alone.fold_in(history)[0] + 0.5 * own @ users / own.sum()
    torch.testing.assert_close(model.fold_in(history)[0], expected, rtol=1e-5, atol=1e-5)


def test_dualgnn_adds_the_users_with_the_most_items_in_common(no_own_rows):
    model = without_own_row(built("dualgnn", k=5), 7)
    with torch.no_grad():
        model.modality_weight[7] = 0.0
        model.modality_weight[7] = model.modality_weight.sum(dim=0) / 59  # the mean with and without the user
    users = model._received(model._start())[0]
    graph = common_users(history_of(model, 7), model.histories(), 5)
    folded = model.fold_in(history_of(model, 7))
    torch.testing.assert_close(folded, users[[7]] + graph.matrix.to_dense() @ users, rtol=1e-5, atol=1e-5)


def test_common_users_are_those_of_the_training_graph():
    model = built("dualgnn", k=4)
    own = common_users(history_of(model, 7), model.histories(), 5).matrix.to_dense()[0]
    neighbours = model.common.neighbour[model.common.user == 7]
    assert own[7] == own.max()  # nobody has more in common with a history than the user whose it is
    assert set(neighbours.tolist()) == set(torch.nonzero(own)[:, 0].tolist()) - {7}
    shared = model.common.shared[model.common.user == 7].float()
    torch.testing.assert_close(own[neighbours] / own[neighbours].sum(), shared.softmax(dim=0))


@pytest.mark.parametrize("name", ["bpr", "vbpr"])
def test_free_users_are_regressed_from_their_histories(name):
    model = built(name)
    histories, tables = model.histories(), model.encode()
    items = histories.matrix.to_dense() @ tables.items / histories.matrix.to_dense().sum(dim=1, keepdim=True)
    x, y = (part.double().detach() - part.double().detach().mean(dim=0) for part in (items, tables.users))
    penalty = RIDGE * x.square().sum() / x.shape[1]
    augmented = torch.cat([x, penalty.sqrt() * torch.eye(x.shape[1], dtype=torch.float64)])
    wanted = x @ torch.linalg.lstsq(augmented, torch.cat([y, torch.zeros(x.shape[1], y.shape[1]).double()])).solution
    found = model.fold_in(histories).double() - tables.users.double().mean(dim=0)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)


def test_users_who_are_a_linear_map_of_their_histories_are_found_again():
    generator = torch.Generator().manual_seed(0)
    items, weight = torch.randn(30, 4, generator=generator), torch.randn(4, 4, generator=generator)
    rows = torch.arange(400) % 40  # ten pairs each
    histories = CSR.pattern(rows, torch.randint(0, 30, (400,), generator=generator), (40, 30))
    users = Folding(items @ weight, "mean")(histories)
    found = fitted_folding(Embeddings(users, items), histories)(histories)
    assert float((found - users).norm() / (users - users.mean(dim=0)).norm()) < 0.05


def test_rules_add_up_and_can_be_mapped():
    history = CSR.pattern(torch.tensor([0, 0]), torch.tensor([0, 2]), (1, 3))
    one = Folding(torch.tensor([[1.0], [9.0], [3.0]]), "mean", torch.tensor([0.5]))
    two = Folding(torch.tensor([[2.0], [0.0], [2.0]]), "root")
    total = one + two + one
    torch.testing.assert_close(total(history), 2 * one(history) + two(history))
    torch.testing.assert_close(total.map(lambda rows: 3.0 * rows)(history), 3.0 * total(history))


def test_a_new_user_s_own_row_is_regressed_from_the_history():
    model = built("lightgcn")
    zero = Folding(torch.zeros(40, 64), "mean")
    propagated = propagated_folding(
        model.user_item_graph, torch.cat([model.user_embedding, model.item_embedding]), 2, 60, zero
    )
    own = fitted_folding(Embeddings(model.user_embedding, model.encode().items), model.histories())
    history = history_of(model, 4, 9)
    torch.testing.assert_close(model.fold_in(history), propagated(history) + own(history) / 3)


@pytest.mark.parametrize("name", ["lightgcn", "alignrec", "freedom", "mgcn"])
def test_layers_with_weights_are_regressed(name):
    model = built(name, user_item_conv="sage")
    folding = model.folding()
    assert folding.scale == "mean"
    assert folding(history_of(model, 0, 1)).shape == (2, 64)


@pytest.mark.parametrize("name", sorted({*MODELS} - {"random", "popularity", "content-knn"}))
def test_weighted_pairs_are_folded_in_by_every_model(name):
    data = toy_graph("image", "text")
    data[INTERACTS].edge_weight = torch.linspace(0.1, 0.4, data[INTERACTS].edge_index.shape[1])
    model = MODELS[name](data, seed=3).eval()
    users = model.fold_in(history_of(model, 0, 7))
    assert users.shape == (2, model.encode().users.shape[1])
    assert bool(torch.isfinite(users).all())
    weighted = name in ("lightgcn", "alignrec", "alignrec-plus", "bm3", "slmrec", "mgcn", "dualgnn")
    assert (model.folding() is not None and model.folding().scale == "mean") == (weighted or name in ("bpr", "vbpr"))


def test_popularity_and_content_are_exact():
    model = built("content-knn")
    torch.testing.assert_close(model.fold_in(model.histories()), model.encode().users)
    popularity = MODELS["popularity"](torch.tensor([3, 1]), 2)
    assert popularity.fold_in(CSR.pattern(torch.tensor([0]), torch.tensor([1]), (1, 2))).tolist() == [[1.0]]


def test_an_item_nobody_had_counts_as_if_this_were_its_first(no_own_rows):
    data = toy_graph("image")
    pairs = data[INTERACTS].edge_index
    data[INTERACTS].edge_index = pairs[:, pairs[1] != 5]
    model = MODELS["alignrec"](data, seed=3).eval()
    cold = CSR.pattern(torch.tensor([0]), torch.tensor([5]), (1, 40))
    views = model.views()
    own = model.item_embedding[5] / 3 + views.content_items[5]
    torch.testing.assert_close(model.fold_in(cold)[0], own, rtol=1e-5, atol=1e-6)


def test_a_weight_counts_as_often_as_it_says():
    rows = torch.tensor([[1.0, 0.0], [0.0, 4.0]])
    weights = CSR.from_coo(torch.tensor([0, 0]), torch.tensor([0, 1]), torch.tensor([3.0, 1.0]), (1, 2))
    assert Folding(rows, "mean")(weights).tolist() == [[0.75, 1.0]]
    assert Folding(rows, "root", torch.ones(2))(weights).tolist() == [[2.5, 3.0]]
    assert Folding(rows, "unit")(weights).tolist() == [pytest.approx([0.6, 0.8])]


def test_nobody_is_divided_by_nothing():
    empty = CSR.pattern(torch.tensor([], dtype=torch.long), torch.tensor([], dtype=torch.long), (2, 3))
    assert Folding(torch.ones(3, 1), "mean", torch.tensor([5.0]))(empty).tolist() == [[5.0], [5.0]]
