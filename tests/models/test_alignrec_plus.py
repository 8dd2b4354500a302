import math

import pytest
import torch

from alignrec_geo.dataset import make_catalogue
from alignrec_geo.errors import InputError
from alignrec_geo.graph.neighbours import cosine_neighbours
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.models import AlignRec, AlignRecConfig, AlignRecPlus, AlignRecPlusConfig, Batch
from alignrec_geo.models.hard_negatives import HardNegatives
from alignrec_geo.testing import KnownAnswers
from alignrec_geo.training import fit
from tests.golden_numbers import toy_graph

BATCH = Batch(torch.tensor([0, 3, 5, 3]), torch.tensor([1, 2, 7, 9]), torch.tensor([4, 8, 11, 30]), nominal_size=8)
OFF = {"spectral_start": False, "centring": "none", "user_weight": 0.0, "co_occurrence": 0.0, "hard_negatives": 1}


class TestKnownAnswers(KnownAnswers):
    model = AlignRecPlus
    ranks_cold_items = True


@pytest.mark.parametrize("names", [("image",), ("image", "text"), ()])
def test_with_all_switches_off_it_is_alignrec_bit_for_bit(names):
    plus = AlignRecPlus(toy_graph(*names), features=list(names), config=AlignRecPlusConfig(**OFF), seed=3)
    plain = AlignRec(toy_graph(*names), features=list(names), config=AlignRecConfig(), seed=3)
    assert plus.state_dict().keys() == plain.state_dict().keys()
    for ours, theirs in zip(plus.embeddings(), plain.embeddings(), strict=True):
        assert torch.equal(ours, theirs)
    assert {name: term.item() for name, term in plus.loss(BATCH).items()} == {
        name: term.item() for name, term in plain.loss(BATCH).items()
    }


@pytest.mark.parametrize("switch", sorted(OFF))
def test_every_switch_changes_something(switch):
    plain = AlignRecPlus(toy_graph(), config=AlignRecPlusConfig(**OFF))
    config = AlignRecPlusConfig(**{name: value for name, value in OFF.items() if name != switch})
    other = AlignRecPlus(toy_graph(), config=config)
    same = all(torch.equal(a, b) for a, b in zip(plain.embeddings(), other.embeddings(), strict=True))
    if switch == "hard_negatives":
        assert same
        assert float(other.loss(BATCH)["bpr"]) > float(plain.loss(BATCH)["bpr"])
    else:
        assert not same


def test_users_have_the_mean_of_similar_users_by_the_dense_formula():
    graph = toy_graph()
    config = AlignRecPlusConfig(**{**OFF, "user_weight": 0.7}, user_neighbours=3)
    model, plain = AlignRecPlus(graph, config=config), AlignRecPlus(graph, config=AlignRecPlusConfig(**OFF))
    r = model.histories().matrix.to_dense()
    degree = r.sum(dim=1)
    cosine = r @ r.T / torch.outer(degree, degree).sqrt().clamp(min=1e-9)
    cosine.fill_diagonal_(0.0)
    value, place = cosine.sort(dim=1, descending=True, stable=True)
    w = torch.zeros_like(cosine).scatter_(1, place[:, :3], value[:, :3])
    w = w / w.sum(dim=1, keepdim=True).clamp(min=1e-9)
    before = plain.views().identity[: model.n_users]
    torch.testing.assert_close(model.views().identity[: model.n_users], before + 0.7 * w @ before)
    assert torch.equal(model.views().identity[model.n_users :], plain.views().identity[model.n_users :])


def test_items_with_few_pairs_keep_more_of_the_content_graph():
    graph = toy_graph()
    model = AlignRecPlus(graph, config=AlignRecPlusConfig(**{**OFF, "co_occurrence": 0.6}))
    content = AlignRecPlus(graph, config=AlignRecPlusConfig(**OFF)).item_graph.matrix.to_dense()
    r = model.histories().matrix.to_dense()
    degree = r.sum(dim=0)
    share = 0.6 * degree / (degree + degree.mean())
    neighbours = cosine_neighbours(model.histories().T, k=model.config.k).matrix.to_dense()
    root = neighbours.sum(dim=1).clamp(min=1e-12).rsqrt() * (neighbours.sum(dim=1) > 0)
    expected = (1 - share)[:, None] * content + share[:, None] * root[:, None] * neighbours * root
    torch.testing.assert_close(model.item_graph.matrix.to_dense(), expected)


def test_hard_negatives_are_the_best_ranked_that_the_user_does_not_know():
    generator = torch.Generator().manual_seed(0)
    known = torch.rand(20, 30, generator=generator) < 0.3
    histories = CSR.pattern(*known.nonzero(as_tuple=True), (20, 30))
    users = torch.randint(20, (64,), generator=generator)
    lacking = torch.stack([(~known[user]).nonzero()[:, 0][:1] for user in users])[:, 0]
    batch = Batch(users, torch.zeros_like(users), lacking, 64)
    model = AlignRecPlus(toy_graph())
    tables = model.embeddings()._replace(
        users=torch.randn(20, 4, generator=generator), items=torch.randn(30, 4, generator=generator)
    )
    chosen = HardNegatives(histories, 8)
    candidates = chosen.candidates(batch.negatives)
    assert candidates.shape == (64, 8)
    assert torch.equal(candidates[:, 0], batch.negatives)
    scores = tables.users @ tables.items.T
    for row, negative in enumerate(chosen(batch, tables).negatives.tolist()):
        user = int(users[row])
        allowed = [item for item in candidates[row].tolist() if not known[user, item]]
        assert negative == max(allowed, key=lambda item, user=user: float(scores[user, item]))


def test_the_start_has_the_length_of_what_would_be_drawn_and_the_best_products():
    graph = toy_graph()
    model = AlignRecPlus(graph, config=AlignRecPlusConfig(**{**OFF, "spectral_start": True}, dim=8))
    drawn = AlignRecPlus(graph, config=AlignRecPlusConfig(**OFF, dim=8))
    ours, theirs = (torch.cat([m.user_embedding, m.item_embedding]) for m in (model, drawn))
    assert float(ours.norm()) == pytest.approx(float(theirs.norm()), rel=1e-5)
    r = model.histories().matrix.to_dense()
    users, items = r.sum(dim=1), r.sum(dim=0)
    left, values, right = torch.linalg.svd(r / torch.outer(users, items).sqrt().clamp(min=1e-9))
    best = left[:, :8] * values[:8] @ right[:8]
    product = model.user_embedding @ model.item_embedding.T
    torch.testing.assert_close(product / product.norm(), best / best.norm(), atol=2e-4, rtol=0)


def test_more_columns_than_the_graph_has_directions_stay_as_drawn():
    model = AlignRecPlus(toy_graph(), config=AlignRecPlusConfig(dim=64))  # 40 items
    drawn = AlignRecPlus(toy_graph(), config=AlignRecPlusConfig(dim=64, spectral_start=False))
    assert torch.equal(model.user_embedding[:, 40:], drawn.user_embedding[:, 40:])
    assert not torch.equal(model.user_embedding[:, :40], drawn.user_embedding[:, :40])


def test_paths_add_up_to_the_users_vector_with_similar_users_among_them():
    for fusion in ("sum", "mean", "concat"):
        model = AlignRecPlus(toy_graph(), config=AlignRecPlusConfig(fusion=fusion)).eval()
        with torch.no_grad():
            paths = model.user_paths(5)
            whole = model.embeddings().users[5]
        assert paths.similar_users.abs().sum() > 0
        torch.testing.assert_close(paths.pieces.sum(dim=(0, 1)) + paths.similar_users.sum(dim=0), whole)


def test_new_users_get_about_what_trained_ones_have():
    data = make_catalogue(n_users=200, n_items=80, image_size=16)
    model = AlignRecPlus.from_dataset(data)
    fit(model, config={"epochs": 10})
    with torch.no_grad():
        folded, trained = model.fold_in(model.histories()), model.embeddings().users
    assert float(torch.cosine_similarity(folded, trained).median()) > 0.8


def test_equal_content_of_all_items_is_left_as_it_is():
    graph = toy_graph()
    graph["item"].x_image = torch.ones_like(graph["item"].x_image)
    model = AlignRecPlus(graph)
    assert all(bool(torch.isfinite(table).all()) for table in model.embeddings())
    assert float(model.content[0].norm()) == pytest.approx(1.0)


def test_impossible_settings_are_refused():
    with pytest.raises(InputError, match="hard_negatives"):
        AlignRecPlus(toy_graph(), config={"hard_negatives": 0})
    with pytest.raises(InputError, match="co_occurrence"):
        AlignRecPlus(toy_graph(), config={"co_occurrence": 1.5})
    assert math.isfinite(float(sum(AlignRecPlus(toy_graph()).loss(BATCH).values())))


def test_paths_without_similar_users_are_those_of_alignrec():
    for names in ([], ["image"]):
        model = AlignRecPlus(toy_graph(), names, config=AlignRecPlusConfig(**OFF)).eval()
        with torch.no_grad():
            paths = model.user_paths(5)
        assert paths.similar_users is None
        torch.testing.assert_close(paths.pieces.sum(dim=(0, 1)), model.embeddings().users[5])


def test_what_hard_negatives_know_moves_with_the_model():
    model = AlignRecPlus(toy_graph(), config=AlignRecPlusConfig(**{**OFF, "hard_negatives": 2}))
    asked = []
    moved = model.hard_negatives.map(lambda part: asked.append(part.dtype) or part.clone())
    assert torch.int64 in asked
    assert moved.known is not model.hard_negatives.known
    tables, one = model.embeddings(), torch.arange(20)
    batch = Batch(one, one, (one + 7) % 40, 20)
    assert torch.equal(moved(batch, tables).negatives, model.hard_negatives(batch, tables).negatives)
