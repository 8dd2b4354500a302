"""A score taken apart adds up, exactly where a model says so, and each part is what its name says."""

import pytest
import torch

from alignrec_geo.dataset import Split
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.models import MODELS, AlignRec, LightGCN
from alignrec_geo.models.attribution import attribute
from alignrec_geo.models.base import Recommender
from alignrec_geo.models.contributions import BIAS, CONTENT, ITEMS, OWN, USERS, Branches
from alignrec_geo.models.first_order import difference_branches, node_contributions
from alignrec_geo.nn.paths import paths_to
from alignrec_geo.testing.data import random_pairs
from alignrec_geo.training import fit

LINEAR = sorted(set(MODELS) - {"grcn", "mgcn", "mmgcn"})
BIASED = ("bm3", "popularity", "slmrec")
PAIRS = [(0, 0), (3, 7), (17, 39), (59, 1)]
DATA = random_pairs()


@pytest.fixture(scope="module")
def models():
    """Every model after an epoch of training, which gives biases values."""
    made = {}
    for name, kind in MODELS.items():
        made[name] = kind.from_dataset(DATA, seed=1)
        fit(made[name], config={"epochs": 1, "batch_size": 128})
        made[name].eval()
    return made


def history(user):
    pairs = DATA.interactions.of(Split.TRAIN)
    return torch.from_numpy(pairs.item[pairs.user == user])


def attribution(model, user, item):
    with torch.no_grad():
        return attribute(model, model.encode(), user, item, history(user))


@pytest.mark.parametrize("name", MODELS)
def test_parts_add_up_to_the_score(models, name):
    tables = models[name].embeddings()
    for user, item in PAIRS:
        found = attribution(models[name], user, item)
        score = float(tables.users[user] @ tables.items[item])
        assert found.score == pytest.approx(score, abs=1e-5)
        assert float(found.parts.sum()) == pytest.approx(score, abs=1e-5)
        assert found.exact_parts == (name != "mmgcn")
        if name not in BIASED and found.exact_parts:
            assert float(found.parts[:2, :2].sum()) == pytest.approx(score, abs=1e-5)


@pytest.mark.parametrize("name", LINEAR)
def test_past_items_and_what_else_add_up_to_the_score(models, name):
    model = models[name]
    for user, item in PAIRS:
        found = attribution(model, user, item)
        past = found.history
        assert found.exact_history
        assert float(past.carried.sum()) + sum(past.elsewhere.values()) == pytest.approx(found.score, abs=1e-5)
        assert float(past.sources.sum()) == pytest.approx(found.score, abs=1e-5)
        assert abs(found.remainder) < 1e-5
        assert set(past.items.tolist()) <= set(history(user).tolist())
        # rows of the parts are the same vector by the same branches
        by_branch = [past.sources[[OWN, USERS, ITEMS]].sum(), past.sources[CONTENT], past.sources[BIAS]]
        assert torch.stack(by_branch) == pytest.approx(found.parts.sum(dim=1), abs=1e-5)


@pytest.mark.parametrize("name", LINEAR)
def test_the_paths_of_every_user_are_the_row_of_the_table(models, name):
    model = models[name]
    table = model.embeddings().users
    with torch.no_grad():
        for user in range(0, 60, 7):
            paths = model.user_paths(user)
            row = paths.pieces.sum(dim=(0, 1))
            row = row if paths.similar_users is None else row + paths.similar_users.sum(dim=0)
            torch.testing.assert_close(row, table[user], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", ["grcn", "mgcn", "mmgcn"])
def test_what_is_not_linear_says_so_and_keeps_its_remainder(models, name):
    found = attribution(models[name], 3, 7)
    assert not found.exact_history
    whole = float(found.history.carried.sum()) + sum(found.history.elsewhere.values()) + found.remainder
    assert whole == pytest.approx(found.score, abs=1e-5)
    assert set(found.history.items.tolist()) == set(history(3).tolist())
    assert float(found.history.carried.abs().sum()) > 0


@pytest.mark.parametrize("name", ["lightgcn", "freedom", "lattice", "bm3", "alignrec"])
def test_gradients_of_a_linear_model_find_the_same_sources(models, name):
    model = models[name]
    vector = model.embeddings().items[7].double()
    exact = attribution(model, 3, 7).history.sources
    by_user, by_item = node_contributions(model, 3, vector)
    identity = torch.stack([by_user[3, 0], by_user[:, 0].sum() - by_user[3, 0], by_item[:, 0].sum()])
    torch.testing.assert_close(identity, exact[[OWN, USERS, ITEMS]], atol=1e-6, rtol=1e-4)
    content = by_user[:, 1].sum() + by_item[:, 1].sum()
    torch.testing.assert_close(content, exact[CONTENT], atol=1e-6, rtol=1e-4)


def test_differences_and_gradients_agree(models):
    """Two ways to the same derivative."""
    model = models["mmgcn"]
    branches, tables = difference_branches(model), model.embeddings()
    for user, item in PAIRS:
        vector = tables.items[item].double()
        by_user, by_item = node_contributions(model, user, vector)
        for column, branch in enumerate(branches):
            gradient = float(by_user[:, column].sum() + by_item[:, column].sum())
            assert float(branch.users[user] @ vector) == pytest.approx(gradient, abs=1e-4)


@pytest.mark.parametrize("name", ["grcn", "mmgcn"])
def test_the_inputs_of_a_model_make_its_tables(models, name):
    model = models[name]
    with torch.no_grad():
        made = model.tables_of({part.name: part.rows for part in model.node_inputs()})
        tables = model.encode()
    if isinstance(made, Branches):
        made = Embeddings(*(own + other for own, other in zip(made.identity, made.content, strict=True)))
    for left, right in zip(made, tables, strict=True):
        torch.testing.assert_close(left, right)


def test_by_hand():
    """User 0 has the items 0 and 1, user 1 has item 1."""
    model = LightGCN.from_dataset(DATA, config={"dim": 1, "layers": 1})
    graph = CSR.from_coo(
        torch.tensor([0, 0, 1, 2, 3, 3]),
        torch.tensor([2, 3, 3, 0, 0, 1]),
        torch.tensor([0.5, 0.25, 1.0, 0.5, 0.25, 1.0]),
        (4, 4),
    )
    model.n_users, model.n_items, model.user_item_graph = 2, 2, graph
    model.user_embedding.data, model.item_embedding.data = torch.tensor([[1.0], [10.0]]), torch.tensor([[2.0], [4.0]])
    with torch.no_grad():
        found = attribute(model, model.encode(), 0, 1, torch.tensor([0, 1]))
    item = (4.0 + 0.25 * 1.0 + 1.0 * 10.0) / 2
    assert found.history.items.tolist() == [0, 1]
    assert found.history.carried.tolist() == [[0.5 * 2.0 / 2 * item, 0.0], [0.25 * 4.0 / 2 * item, 0.0]]
    assert found.history.elsewhere == {"own vectors": 1.0 / 2 * item}


def test_a_past_item_brings_what_is_missing_without_its_edge():
    """With one layer nothing comes back, so the row without the edge is the row without the item's part."""
    model = AlignRec.from_dataset(DATA, config={"layers": 1}, seed=3).eval()
    user, item, past = 3, 7, int(history(3)[2])
    before = attribution(model, user, item)
    place = before.history.items.tolist().index(past)
    vector = model.embeddings().items[item]
    for name, column in (("user_item_graph", past + 60), ("item_to_user", past)):
        matrix = getattr(model, name).matrix
        start, end = matrix.crow_indices()[user : user + 2].tolist()
        cut = matrix.values().clone()
        cut[start + matrix.col_indices()[start:end].tolist().index(column)] = 0.0
        changed = torch.sparse_csr_tensor(matrix.crow_indices(), matrix.col_indices(), cut, matrix.shape)
        setattr(model, name, CSR(changed, changed))
    after = float(model.embeddings().users[user] @ vector)
    assert before.score - after == pytest.approx(float(before.history.carried[place].sum()), abs=1e-6)


def test_paths_of_a_longer_walk_by_counting_them():
    """Against all walks of up to three steps, one by one; the graph has a self-loop."""
    generator = torch.Generator().manual_seed(0)
    dense = (torch.rand(5, 5, generator=generator) < 0.5) * torch.rand(5, 5, generator=generator)
    dense[1, 1] = 0.7
    row, col = dense.nonzero().T
    graph = CSR.from_coo(row, col, dense[row, col], (5, 5))
    sources = torch.randn(5, 2, 3, generator=generator)
    found = paths_to(graph, sources, node=1, layers=3)
    expected = torch.zeros(1 + len(found.neighbours), 2, 3)
    walks = [((1,), 1.0)]  # from the end to the start
    for _ in range(4):
        for walk, weight in walks:
            entered = next((node for node in walk if node != 1), None)
            carrier = 0 if entered is None else 1 + found.neighbours.tolist().index(entered)
            expected[carrier] += weight * sources[walk[-1]] / 4
        walks = [
            ((*walk, n), weight * float(dense[walk[-1], n]))
            for walk, weight in walks
            for n in range(5)
            if dense[walk[-1], n]
        ]
    torch.testing.assert_close(found.pieces, expected)


@pytest.mark.parametrize("fusion", ["sum", "mean", "concat", "gate", "attention"])
def test_every_fusion_is_split_exactly(fusion):
    model = AlignRec.from_dataset(DATA, config={"fusion": fusion}, seed=2).eval()
    found = attribution(model, 3, 7)
    assert found.exact_parts
    assert found.exact_history == (fusion in ("sum", "mean", "concat"))
    assert float(found.parts.sum()) == pytest.approx(found.score, abs=1e-6)
    if fusion != "concat":  # which has a bias
        assert float(found.parts[:2, :2].sum()) == pytest.approx(found.score, abs=1e-6)
    if found.exact_history:
        assert abs(found.remainder) < 1e-6


class Product(torch.nn.Module):
    def forward(self, identity, content):
        return identity * content


def test_layers_with_weights_and_strange_fusions_are_approximated():
    sage = AlignRec.from_dataset(DATA, config={"user_item_conv": "sage"}, seed=2).eval()
    found = attribution(sage, 3, 7)
    assert (found.exact_parts, found.exact_history) == (True, False)
    assert float(found.parts.sum()) == pytest.approx(found.score, abs=1e-6)
    given = LightGCN.from_dataset(DATA, config={"user_item_conv": ["light", "sage"]}, seed=2).eval()
    assert not attribution(given, 3, 7).exact_history
    product = AlignRec.from_dataset(DATA, config={"fusion": f"{__name__}.Product"}, seed=2).eval()
    found = attribution(product, 3, 7)
    assert (found.exact_parts, found.exact_history) == (False, False)
    assert float(found.parts.sum()) == pytest.approx(found.score, abs=1e-6)


class TwoTables(Recommender):
    """A model of somebody else, which says nothing of where its scores come from."""

    def __init__(self, users, items):
        super().__init__()
        self.u = torch.nn.Parameter(torch.randn(users, 4, generator=torch.Generator().manual_seed(0)))
        self.i = torch.nn.Parameter(torch.randn(items, 4, generator=torch.Generator().manual_seed(1)))

    @classmethod
    def build(cls, dataset, features, config, seed):
        return cls(dataset.interactions.n_users, dataset.interactions.n_items)

    def encode(self):
        return Embeddings(self.u.tanh(), self.i.tanh())

    def loss(self, batch):
        return {}


def test_a_model_that_says_nothing_has_an_approximation():
    found = attribution(TwoTables(60, 40), 3, 7)
    assert (found.exact_parts, found.exact_history) == (False, False)
    assert float(found.parts.sum()) == pytest.approx(found.score, abs=1e-6)
    assert found.history.elsewhere["own vectors"] != 0.0
    with pytest.raises(InputError, match="might be of users or of items, as there are 40 of both"):
        attribution(TwoTables(40, 40), 3, 7)
