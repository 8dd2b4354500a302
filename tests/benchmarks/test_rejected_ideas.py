"""The ideas that were dropped do what their settings say."""

import math

import pytest
import torch
from harness.machine import RESULTS
from pages import improved_page
from quality.rejected_ideas import RejectedIdeas, uniformity

from alignrec_geo.dataset import make_catalogue
from alignrec_geo.files import read_json
from alignrec_geo.kernels.spmm import spmm
from alignrec_geo.models import AlignRecPlus
from alignrec_geo.models.base import Batch
from alignrec_geo.randomness import child_generator

IDEAS = [
    {"contrast_weight": 0.1},
    {"contrast_weight": 0.1, "contrast_on": "fused"},
    {"uniformity_weight": 0.1},
    {"item_bias": True},
    {"branches_apart": True},
    {"degree_weights": True},
    {"content_hops": 2},
    {"direct": 1.0},
    {"own_table": False},
    {"item_degree_exponent": 0.3},
    {"content_scale": 2.0},
    {"similar_identity": 0.5},
    {"content_mean": True},
    {"smoothing": 0.5},
    {"graph_per_modality": True},
    {"pruned": 0.3},
    {"initial_scale": 3.0},
    {"spectral_mix": 1.0},
]


@pytest.fixture(scope="module")
def data():
    return make_catalogue(n_users=60, n_items=40, image_size=16)


@pytest.fixture(scope="module")
def batch():
    generator = torch.Generator().manual_seed(0)
    return Batch(*(torch.randint(n, (64,), generator=generator) for n in (60, 40, 40)), 64)


def made(data, **settings):
    model = RejectedIdeas.from_dataset(data, config={"dim": 8, **settings})
    model.start_epoch(0, child_generator(0, "model"))
    return model


def test_with_none_of_them_it_is_alignrec_plus(data, batch):
    ours, theirs = made(data), AlignRecPlus.from_dataset(data, config={"dim": 8})
    assert all(torch.equal(a, b) for a, b in zip(ours.encode(), theirs.encode(), strict=True))
    for name, term in theirs.loss(batch).items():
        torch.testing.assert_close(ours.loss(batch)[name], term)


@pytest.mark.parametrize("idea", IDEAS, ids=lambda idea: ",".join(f"{k}={v}" for k, v in idea.items()))
def test_every_idea_changes_something_and_learns(data, batch, idea):
    plain, model = made(data), made(data, **idea)
    torch.manual_seed(0)
    terms = model.loss(batch)
    sum(terms.values()).backward()
    assert all(parameter.grad is not None for parameter in model.parameters() if parameter.requires_grad)
    total, before = (sum(float(term) for term in each.values()) for each in (terms, plain.loss(batch)))
    assert math.isfinite(total)
    if set(idea) != {"smoothing"}:  # that is for scores alone
        moved = [p.grad.abs().max() for n, p in model.named_parameters() if n in ("mix", "bias")]
        assert abs(total - before) > 1e-7 or (moved and all(float(each) > 0 for each in moved))
    users, items = model.eval().encode()
    assert users.shape[1] == items.shape[1]


def test_pruned_edges_come_back_for_scores(data):
    model = made(data, pruned=0.25)
    values = model.train_graph.matrix.values()
    count = len(values) // 2
    assert int((values > 0).sum()) == 2 * (count - int(count * 0.25))
    whole = made(data).eval().encode()
    assert torch.equal(model.eval().encode().users, whole.users)
    first = values.clone()
    model.start_epoch(1, child_generator(1, "model"))
    assert not torch.equal(first, model.train_graph.matrix.values())


def test_branches_apart_add_their_scores(data):
    model = made(data, branches_apart=True, direct=0.0).eval()
    identity, users, items = model.views()
    own, theirs = identity.split([60, 40])
    fused = model.encode()
    torch.testing.assert_close(fused.users @ fused.items.T, own @ theirs.T + users @ items.T)


def test_bias_smoothing_and_means(data):
    model = made(data, item_bias=True).eval()
    plain = made(data).eval().encode()
    with torch.no_grad():
        model.bias.copy_(torch.arange(40.0))
    scores = model.encode().users @ model.encode().items.T
    torch.testing.assert_close(scores, plain.users @ plain.items.T + torch.arange(40.0), rtol=1e-4, atol=1e-4)
    smooth = made(data, smoothing=0.5).eval()
    torch.testing.assert_close(smooth.encode().items, plain.items + 0.5 * spmm(smooth.item_graph, plain.items))
    mean = made(data, content_mean=True).eval()
    _, users, items = mean.views()
    user, item = mean.pairs
    torch.testing.assert_close(users[user[0]], items[item[user == user[0]]].mean(dim=0))


def test_uniformity_of_known_rows():
    rows, ids = torch.eye(3), torch.arange(3)
    assert float(uniformity(rows, ids)) == pytest.approx(-4.0)
    assert float(uniformity(torch.ones(3, 2), ids)) == pytest.approx(0.0, abs=1e-5)
    assert float(uniformity(rows, torch.tensor([0, 0, 0]))) == pytest.approx(-8.0)  # nothing to compare


def row(data, seed, recall, **kept):
    return {
        "round": "a",
        "from": "P",
        "change": "",
        "data": data,
        "seed": seed,
        "recall@20": recall,
        "ndcg@20": 0.1,
        "best_epoch": 30,
        "cut": False,
        **kept,
    }


def test_rows_of_the_table_are_gains_over_the_same_seeds():
    rows = [
        *(row("tiktok", 0, 0.10), row("tiktok", 1, 0.20), row("toys", 0, 0.10), row("toys", 1, 9.0)),
        *(row("tiktok", 0, 0.11, change="k=20"), row("tiktok", 1, 0.20, change="k=20", cut=True)),
        *(row("toys", 0, 0.08, change="k=20", best_epoch=3), row("toys", 0, 0.12, change="dim=128")),
    ]
    lines = improved_page.table(rows, "P").splitlines()
    assert lines[2:] == ["| `dim=128` |  | +20.0 / +0.0 |  |  |", "| `k=20` | (+5.0 / +0.0) | −20.0 / +0.0† |  |  |"]


def test_the_page_shows_what_is_stored():
    stored, page = read_json(RESULTS / "improved-trials.json"), improved_page.PAGE.read_text()
    assert improved_page.updated(page, stored) == page
    settings = RejectedIdeas.config_class.model_fields
    training = {"lr", "batch_size", "lr_decay", "lr_decay_epochs"}
    for change in {each["change"] for each in stored["rows"]} - {""}:
        assert {part.split("=")[0] for part in change.split(", ")} <= {*settings, *training}
