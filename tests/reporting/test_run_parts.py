"""What a run's report measures and chooses: against the evaluator, and against scores taken apart one by one."""

import numpy as np
import pytest
import torch

from alignrec_geo import explain, make_catalogue
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.evaluation.evaluator import Evaluator
from alignrec_geo.evaluation.groups import group_metrics
from alignrec_geo.evaluation.protocols import Protocol
from alignrec_geo.explaining.score_parts import score_parts
from alignrec_geo.models import MODELS
from alignrec_geo.reporting import run_measures
from alignrec_geo.reporting.people import people
from alignrec_geo.reporting.run_measures import measure_run


@pytest.fixture(scope="module")
def data():
    return make_catalogue(n_users=60, n_items=50, image_size=16)


@pytest.fixture(scope="module")
def tables(data):
    draw = torch.Generator().manual_seed(0)
    return Embeddings(torch.randn(60, 4, generator=draw), torch.randn(50, 4, generator=draw))


def test_measures_are_those_of_the_evaluator(data, tables):
    pairs = data.interactions
    found = measure_run(tables, pairs, Protocol.CLEAN)
    popular = Embeddings(torch.ones(60, 1), torch.from_numpy(pairs.of(Split.TRAIN).item_degree())[:, None].float())
    for split in (Split.VALIDATION, Split.TEST):
        assert found.popularity[split.label] == Evaluator(pairs, split)(popular).metrics
    assert found.groups == group_metrics(tables, pairs, Split.TEST)
    assert sum(found.items.values()) == 50
    assert found.sample is None


def test_of_many_users_some_are_measured(data, tables, monkeypatch):
    monkeypatch.setattr(run_measures, "MOST_USERS", 20)
    found = measure_run(tables, data.interactions, Protocol.CLEAN)
    assert 0 < found.sample <= 20 < found.users
    counted = sum(group["users"] for group in found.groups["users"].values())
    assert counted == found.sample


def test_nobody_to_test(data, tables):
    pairs = data.interactions
    known = pairs.with_split(np.zeros_like(pairs.split))
    found = measure_run(tables, known, Protocol.CLEAN)
    assert (found.popularity, found.groups, found.users) == ({}, {}, 0)
    whole = type(data)(**{**vars(data), "interactions": known})
    assert [person.held_out for person in people(whole, tables, Protocol.CLEAN, lambda row: None)] == [0, 0, 0]


def test_three_users_with_what_the_evaluator_would_rank(data, tables):
    shown = people(data, tables, Protocol.CLEAN, lambda row: None)
    again = people(data, tables, Protocol.CLEAN, lambda row: None)
    assert [person.name for person in shown] == [person.name for person in again]
    assert len({person.name for person in shown}) == 3
    assert sorted(person.known for person in shown) == [person.known for person in shown]
    ranked = {
        int(user): items
        for block in Evaluator(data, "test", cutoffs=10).rank(tables)
        for user, items in zip(block[0], block[2], strict=True)
    }
    for person in shown:
        row = int(data.user_rows(person.name)[0])
        ids = [data.items["id"][int(item)] for item in ranked[row][:10]]
        assert [card["id"] or card["name"] for card in person.new] == ids
        wanted = data.interactions.of(Split.TEST)
        hits = {data.items["id"][int(item)] for item in wanted.item[wanted.user == row]}
        assert {card["id"] for card in person.new if card["hit"]} == hits & set(ids)
        assert all(card["image"] is None for card in person.new)


@pytest.mark.parametrize("name", ["alignrec", "vbpr", "freedom", "mgcn", "bpr"])
def test_parts_are_those_of_single_explanations(data, name):
    model = MODELS[name].from_dataset(data, ["image", "text"] if name != "bpr" else [])
    found = score_parts(model)
    if name == "bpr":
        assert found is None  # content has no part in it
        return
    users, items = np.array([0, 5, 9]), np.array([3, 8, 40])
    parts = found.of(users, items)
    for row, (user, item) in enumerate(zip(users, items, strict=True)):
        one = explain(model, data.users["id"][int(user)], data.items["id"][int(item)])
        assert parts[row].sum() == pytest.approx(one.score, abs=1e-5)
        assert dict(zip(found.names, parts[row], strict=True)) == pytest.approx(dict(one.parts), abs=1e-4)
        assert found.exact == (one.parts_are == "exact")
