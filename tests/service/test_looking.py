"""Items, users, images and explanations over HTTP."""

import io
import json

import pytest
from PIL import Image
from starlette.testclient import TestClient

from alignrec_geo import explain
from alignrec_geo.dataset import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.service import ServiceSettings, make_app
from alignrec_geo.serving import save_embeddings
from tests.service.small_run import NEW, TITLES
from tests.serving.drawn import drawn


def test_items_by_words_and_by_id(client, served_run):
    def ids(**asked):
        return [one["item"] for one in client.get("/v1/items", params=asked).json()["items"]]

    assert ids(search="CAFE tasse") == ["item-0005"]
    assert ids(search="item-0007")[0] == "item-0007"
    assert ids(search=NEW)[0] == NEW
    assert ids(search="") == []
    assert len(ids(limit=7)) == 7
    assert ids(id=[NEW, "item-0001"]) == [NEW, "item-0001"]
    data = Dataset.open(served_run.parent / "data")
    (first,) = client.get("/v1/items", params={"id": "item-0004"}).json()["items"]
    known = data.items.row(4, named=True)
    assert first["title"] == TITLES["item-0004"] == known["title"]
    assert first["columns"] == {
        name: known[name] for name in known if name not in ("id", "title", "image") and known[name] is not None
    }
    (new,) = client.get("/v1/items", params={"id": NEW}).json()["items"]
    assert new == {"item": NEW, "title": "Later mug", "cold": True, "interactions": 0, "image": None, "columns": {}}
    degree = data.interactions.of(0).item_degree()
    everything = client.get("/v1/items", params={"limit": 200}).json()["items"]
    counts = [one["interactions"] for one in everything]
    assert counts == sorted(counts, reverse=True)
    assert {one["item"]: one["interactions"] for one in everything} == {
        **dict(zip(data.items["id"], degree.tolist(), strict=True)),
        NEW: 0,
    }


def test_users(client):
    assert client.get("/v1/users", params={"search": "user-0041"}).json() == {"users": ["user-0041"]}
    assert len(client.get("/v1/users", params={"limit": 4}).json()["users"]) == 4


def test_images_are_made_here(client, served_run):
    data = Dataset.open(served_run.parent / "data")
    there = [name for name, image in zip(data.items["id"], data.items["image"], strict=True) if image]
    absent = next(name for name, image in zip(data.items["id"], data.items["image"], strict=True) if not image)
    (found,) = client.get("/v1/items", params={"id": there[0]}).json()["items"]
    answer = client.get(f"/{found['image']}&side=160")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert Image.open(io.BytesIO(answer.content)).format == "JPEG"
    gone = client.get("/v1/image", params={"item": absent})
    assert gone.status_code == 404
    assert gone.json()["detail"] == f"item '{absent}' has no image that can be shown"


def test_no_image_from_elsewhere(tmp_path):
    top = drawn()
    outside = tmp_path / "secret.png"
    Image.new("RGB", (4, 4)).save(outside)
    run = tmp_path / "run"
    save_embeddings(run, top.embeddings, top.dataset)
    data = top.dataset.save(tmp_path / "data")
    (data.path / "images").mkdir()
    (data.path / "images" / "a.png").symlink_to(outside)
    (data.path / "images" / "b.png").write_bytes(b"<svg onload=alert(1)>")
    names = ["images/a.png", "images/b.png", "images/none.png"]
    app = make_app(ServiceSettings(run, dataset=data.path))
    opened = app.service.run
    opened.content.items.replace_column(3, opened.content.items["image"].scatter(range(3), names))
    client = TestClient(app)
    assert "leads out of the folder" in client.get("/v1/image", params={"item": "i0"}).json()["detail"]
    for item in ("i1", "i2"):
        assert client.get("/v1/image", params={"item": item}).status_code == 404


def test_explanations(client, served_run):
    why = explain(served_run, "user-0001", "item-0007").as_dict()
    found = client.get("/v1/explain", params={"user": "user-0001", "item": "item-0007", "k": 2}).json()
    more, history = found.pop("more"), found.pop("history")
    past = why.pop("history")
    assert history == json.loads(json.dumps(past[:2]))
    assert more["items"] == len(past) - 2
    assert more["identity"] == pytest.approx(sum(one["identity"] for one in past[2:]))
    assert found == why


def test_tables_alone(tmp_path):
    top = drawn()
    save_embeddings(tmp_path / "run", top.embeddings, top.dataset)
    client = TestClient(make_app(ServiceSettings(tmp_path / "run")))
    assert client.get("/v1/recommend", params={"user": "u1"}).status_code == 200
    assert "holds tables and ids" in client.get("/v1/explain", params={"user": "u1", "item": "i1"}).json()["detail"]
    assert "holds no rule" in client.post("/v1/basket", json={"items": ["i1"]}).json()["detail"]
    facts = client.get("/v1/run").json()
    assert (facts["model"], facts["images"], facts["cold_items"]) == (None, False, 0)
    with pytest.raises(InputError, match="its items are not those of"):
        make_app(ServiceSettings(tmp_path / "run", dataset=drawn(n_items=31).dataset.save(tmp_path / "other").path))
