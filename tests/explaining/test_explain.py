"""Explanations of runs: ids and titles in and out, the page, and what is refused."""

import base64
import io
import json
import re

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

from alignrec_geo import Dataset, explain, make_catalogue
from alignrec_geo.dataset import Interactions, Split
from alignrec_geo.errors import InputError
from alignrec_geo.explaining import Explanation, PastItem, score_parts, write_page
from alignrec_geo.explaining.page import MOST, page
from alignrec_geo.models import BPRMF, MGCN, AlignRec, LightGCN
from alignrec_geo.training import fit


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    made = make_catalogue(n_users=60, n_items=40, image_size=16)
    return made.save(tmp_path_factory.mktemp("data") / "catalogue")


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    fit(AlignRec.from_dataset(data, config={"dim": 16}), out=out, config={"epochs": 3})
    return out


@pytest.fixture(scope="module")
def why(run):
    return explain(run, user="user-0001", item="item-0007")


def test_what_is_explained_is_what_is_recommended(run, data):
    from alignrec_geo import load

    best = load(run).recommend("user-0001", k=3)["user-0001"]
    for rank, item in enumerate(best, start=1):
        found = explain(run, "user-0001", item.item)
        assert found.rank == rank
        assert found.score == pytest.approx(item.score, abs=1e-5)
        assert found.title == item.title
    seen = data.interactions.user == 1
    assert found.candidates == 40 - int(seen.sum())
    known = data.items["id"][int(data.interactions.item[seen][0])]
    assert explain(run, "user-0001", known).rank is None


def test_all_adds_up(why, data):
    assert sum(why.parts.values()) == pytest.approx(why.score, abs=1e-5)
    carried = sum(one.contribution for one in why.history)
    assert carried + sum(why.elsewhere.values()) == pytest.approx(why.score, abs=1e-5)
    assert sum(why.sources.values()) == pytest.approx(why.score, abs=1e-5)
    train = data.interactions.of(Split.TRAIN)
    assert {one.item for one in why.history} == set(data.items["id"].gather(train.item[train.user == 1]))
    brought = [one.contribution for one in why.history]
    assert brought == sorted(brought, reverse=True)
    assert (why.parts_are, why.history_is) == ("exact", "exact")


def test_as_dictionary_frame_and_notebook(why):
    content = json.loads(json.dumps(why.as_dict(), allow_nan=False))
    assert content["score"] == why.score
    assert len(content["history"]) == len(why.history)
    frame = why.to_frame()
    assert frame.columns == ["item", "title", "contribution", "identity", "content"]
    assert frame["contribution"].sum() == pytest.approx(sum(one.contribution for one in why.history))
    shown = why._repr_html_()
    assert "identity-identity (exact)" in shown
    assert "brings (exact)" in shown


def test_a_model_in_memory_stays_as_it_is(data):
    model = MGCN.from_dataset(data, config={"dim": 8}).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = explain(model, user="user-0001", item="item-0007")
    assert model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert (found.parts_are, found.history_is) == ("exact", "first-order approximation")
    assert "not of first order" in found.others


def test_the_data_set_moved(run, data, tmp_path):
    moved = data.save(tmp_path / "elsewhere")
    assert explain(run, "user-0001", "item-0007", dataset=moved.path).image.is_relative_to(moved.path)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"user": "nobody", "item": "item-0007"}, "unknown user 'nobody'"),
        ({"user": "user-0001", "item": "nothing"}, "unknown item 'nothing'"),
        ({"user": ["user-0001", "user-0002"], "item": "item-0007"}, "user: an id is text or a whole number"),
        ({"user": "user-0001", "item": None}, "item: an id is missing"),
    ],
)
def test_what_is_no_pair_is_refused(run, asked, words):
    with pytest.raises(InputError, match=words):
        explain(run, **asked)


def test_what_cannot_be_explained_is_refused(run, data, tmp_path):
    with pytest.raises(InputError, match="no such run folder"):
        explain(tmp_path / "absent", "user-0001", "item-0007")
    with pytest.raises(InputError, match="takes the path of a run folder"):
        explain(7, "user-0001", "item-0007")
    model = LightGCN.from_dataset(data)
    model.save(tmp_path / "tables")
    with pytest.raises(InputError, match="holds tables and ids, no parameters"):
        explain(tmp_path / "tables", "user-0001", "item-0007")
    model.dataset = None
    with pytest.raises(InputError, match=r"set model\.dataset"):
        explain(model, "user-0001", "item-0007")
    pairs = data.interactions
    split = np.where(pairs.user == 1, np.int8(Split.TEST), pairs.split)
    silent = Dataset(
        data.name, Interactions(pairs.user, pairs.item, split, pairs.n_users, pairs.n_items), data.users, data.items
    )
    with pytest.raises(InputError, match="user 'user-0001' has no training interaction"):
        explain(LightGCN.from_dataset(silent), "user-0001", "item-0007")


def test_the_page_is_self_contained(why, tmp_path):
    write_page(why, tmp_path / "why.html")
    text = (tmp_path / "why.html").read_text(encoding="utf-8")
    assert not re.search(r"<script|<link|@import|https?://|url\(", text)
    sources = re.findall(r'<img src="([^"]+)"', text)
    assert len(sources) == sum(one.image is not None for one in (why, *why.history)) > 2
    for source in sources:
        kind, _, coded = source.partition(",")
        assert kind == "data:image/jpeg;base64"
        assert max(Image.open(io.BytesIO(base64.b64decode(coded))).size) <= 160
    for one in why.history:
        assert one.item in text
        assert f"{one.contribution:+.4f}".replace("-", "−") in text
    assert text.count("exact</span>") == 3
    assert "prefers-color-scheme: dark" in text


def made(history, **changed) -> Explanation:
    parts = {"identity-identity": 1.0, "identity-content": 0.0, "content-identity": 0.0, "content-content": 0.0}
    given = {
        "model": "m", "dataset": "d", "user": "<u>", "item": "i", "title": None, "score": 1.5, "rank": 2,
        "candidates": 9, "parts": {**parts, "rest": 0.5}, "history": history, "elsewhere": {"own vectors": 1.0},
        "remainder": 0.25, "sources": {"own identity": 1.0}, "parts_are": "exact", "history_is": "exact",
    }  # fmt: skip
    return Explanation(**{**given, **changed})


def test_the_page_takes_text_as_text_and_broken_images_as_none(tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    many = [PastItem(f"id-{n}", "<script>alert(1)</script>" if n == 0 else None, 0.1, -0.2, broken) for n in range(70)]
    text = page(made(many, history_is="first-order approximation"))
    assert "<script" not in text
    assert "<img" not in text
    assert "&lt;script&gt;" in text
    assert f"{70 - MOST} more past items" in text
    assert "not of first order" in text
    assert "The rest, +0.5000" in text
    assert "no past item has a part in it" in page(made([]))


def test_a_model_on_ids_alone_names_no_content():
    one = PastItem("a", "A", 0.5, 0.0)
    text = page(made([one]))
    assert '<i class="identity"></i>of identity' in text
    assert "of content" not in text
    assert "of content" in page(made([one, PastItem("b", "B", 0.1, 0.2)]))


def test_models_without_a_history_say_so(data):
    found = explain(BPRMF.from_dataset(data), "user-0001", "item-0007")
    assert found.history == []
    assert found.to_frame().schema["contribution"] == pl.Float64
    assert found.elsewhere["own vectors"] == pytest.approx(found.score, abs=1e-6)


def test_a_model_whose_tables_nobody_can_tell_apart_has_no_parts(data, monkeypatch):
    model = LightGCN.from_dataset(data).train()

    def refuse(*given):
        raise InputError("might be of users or of items")

    monkeypatch.setattr(score_parts, "difference_branches", refuse)
    monkeypatch.setattr(type(model), "branches", lambda self: None)
    assert score_parts.score_parts(model) is None
    assert model.training  # as it was
