"""Answers are those of ``TopItems``, to the last digit."""

import asyncio

import httpx
import pytest

from alignrec_geo.service import ServiceSettings, make_app
from alignrec_geo.serving import save_embeddings
from tests.service.apart import run_apart
from tests.service.small_run import NEW
from tests.serving.drawn import drawn

USER, OTHER = "user-0001", "user-0002"
SOME = [f"item-{n:04}" for n in range(20)]


def plain(items):
    return [item._asdict() for item in items]


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"k": 3},
        {"k": 50, "seen": "keep"},
        {"include_cold": True},
        {"where": "price > 10 and kind in ('mug', 'bowl', 'lamp')"},
        {"unknown": "popular"},
    ],
    ids=str,
)
def test_for_one_user(client, top, rules):
    expected = top.recommend([USER], **rules)
    asked = {name: str(value).lower() if isinstance(value, bool) else value for name, value in rules.items()}
    answer = client.get("/v1/recommend", params={"user": USER, **asked})
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"user": USER, "items": plain(expected[USER]), "notes": []}


def test_unknown_users(client, top):
    popular = client.get("/v1/recommend", params={"user": "nobody", "unknown": "popular"}).json()
    assert popular["items"] == plain(top.recommend(["nobody"], unknown="popular")["nobody"])
    assert {item["source"] for item in popular["items"]} == {"popular"}
    batch = client.post("/v1/recommend", json={"users": [USER, "nobody", 17], "unknown": "skip", "k": 1}).json()
    assert list(batch["users"]) == [USER]
    assert batch["left_out"] == ["nobody", "17"]


def test_for_several_users_with_all_rules(client, top):
    rules = {
        "only_items": SOME,
        "without_items": ["item-0003"],
        "where": "price < 80",
        "seen": "keep",
        "exclude": {USER: ["item-0001", "item-0002"]},
        "k": 20,
    }
    expected = top.recommend([USER, OTHER], **rules)
    answer = client.post("/v1/recommend", json={"users": [USER, OTHER], **rules}).json()
    assert answer["users"] == {user: plain(items) for user, items in expected.items()}
    listed = {item["item"] for item in answer["users"][USER]}
    assert listed
    assert listed <= set(SOME) - {"item-0001", "item-0002", "item-0003"}
    noted = client.post("/v1/recommend", json={"users": [USER], "without_items": ["gone"]}).json()
    assert noted["notes"] == ["1 of the 1 ids of without_items are of no item here, for example 'gone'"]


def test_for_a_basket(client, top):
    basket = ["item-0000", "item-0004", NEW]
    for rules in ({}, {"k": 3, "include_cold": True}, {"only_items": SOME, "seen": "keep"}):
        expected = top.recommend_for_items(basket, **rules)
        answer = client.post("/v1/basket", json={"items": basket, **rules}).json()
        assert answer == {"basket": basket, "items": plain(expected), "notes": []}


@pytest.mark.parametrize("item", ["item-0007", NEW])
def test_like_an_item(client, top, item):
    expected = plain(top.similar(item, 4))
    assert client.get("/v1/similar", params={"item": item, "k": 4}).json()["similar"] == expected
    cold = client.get("/v1/similar", params={"item": "item-0000", "include_cold": "true", "k": 40}).json()["similar"]
    assert cold == plain(top.similar("item-0000", 40, include_cold=True))
    assert next(one for one in cold if one["item"] == NEW)["source"] == "content"
    among = client.post("/v1/similar", json={"item": item, "only_items": SOME, "without_items": ["item-0001"]}).json()
    assert among["similar"] == plain(top.similar(item, only_items=SOME, without_items=["item-0001"]))


def test_much_work_is_done_in_a_thread(app, client, top, monkeypatch):
    from alignrec_geo.service import jobs

    monkeypatch.setattr(jobs, "LITTLE", 0)
    asked = {"user": USER, "k": 5}
    assert client.get("/v1/recommend", params=asked).json()["items"] == plain(top.recommend([USER], 5)[USER])


def test_who_asks_at_the_same_time_gets_the_same_answers(tmp_path):
    top = drawn(n_items=5_000)
    save_embeddings(tmp_path / "run", top.embeddings, top.dataset)
    app = make_app(ServiceSettings(tmp_path / "run"))
    seen = []
    recommend = app.service.run.top.recommend
    app.service.run.top.recommend = lambda users, *rest, **rules: seen.append(users) or recommend(users, *rest, **rules)
    users = [f"u{number % 35}" for number in range(60)]

    async def ask():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            asked = [
                client.get("/v1/recommend", params={"user": user, "k": 5 + number % 2})
                for number, user in enumerate(users)
            ]
            asked += [client.get("/v1/recommend", params={"user": "nobody"})]
            return await asyncio.gather(*asked)

    *answers, unknown = run_apart(ask())
    assert unknown.status_code == 404
    assert max(map(len, seen)) > 4  # they were ranked together
    for number, (user, answer) in enumerate(zip(users, answers, strict=True)):
        assert answer.json()["items"] == plain(top.recommend(user, 5 + number % 2)[user])
