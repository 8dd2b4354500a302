"""Whatever is sent, the answer is one clear sentence in one form, and never a fault of the service."""

import asyncio
import json
import threading
import time

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from alignrec_geo.errors import InputError
from alignrec_geo.service import ServiceSettings, make_app
from tests.service.apart import run_apart

LONG = "x" * 600


def said(answer, status=422):
    """The sentence of a problem."""
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert answer.status_code == told["status"] == status, answer.text
    assert set(told) == {"type", "title", "status", "detail"}
    assert "Traceback" not in told["detail"]
    assert len(told["detail"]) < 2100
    return told["detail"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "user: is missing"),
        ({"user": "a", "kk": 2}, "kk: is not asked for here; there are: user, k, unknown"),
        ({"user": ["a", "b"]}, "user: is given twice"),
        ({"user": LONG}, "user: string should have at most 512 characters (got 'xxx"),
        ({"user": "user-0001", "k": "x"}, "k: input should be a valid integer"),
        ({"user": "user-0001", "k": "NaN"}, "k: input should be a valid integer"),
        ({"user": "user-0001", "k": 51}, "k must be at most 50 (got 51); max_k is the limit of this service"),
        ({"user": "user-0001", "k": "9" * 400}, "k must be at most 50 (got a number of more than 64 bits)"),
        ({"user": "user-0001", "include_cold": "maybe"}, "include_cold: input should be a valid boolean"),
    ],
)
def test_questions_that_are_none(client, asked, words):
    assert words in said(client.get("/v1/recommend", params=asked))


@pytest.mark.parametrize(
    ("rules", "status"),
    [
        ({"k": 0}, 422),
        ({"k": -3}, 422),
        ({"unknown": "guess"}, 422),
        ({"seen": "maybe"}, 422),
        ({"where": "nope = 1"}, 422),
        ({"where": "price"}, 422),
        ({"where": "price > 1; drop table items"}, 422),
        ({"where": "price > 1e99"}, 422),
        ({"where": "\x00"}, 422),
        ({"user": "nobody"}, 404),
        ({"user": "no\x1b[2Jbody \u202e"}, 404),
        ({"user": " "}, 422),
    ],
    ids=str,
)
def test_the_sentence_is_that_of_the_library(client, top, rules, status):
    rules = {"user": "user-0001", **rules}
    with pytest.raises(InputError) as error:
        top.recommend(**{"users" if name == "user" else name: value for name, value in rules.items()})
    from alignrec_geo.plain import printable

    assert said(client.get("/v1/recommend", params=rules), status) == printable(error.value)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/v1/similar?item=absent", 404, "unknown item 'absent'"),
        ("/v1/explain?user=nobody&item=item-0001", 404, "unknown user 'nobody'"),
        ("/v1/explain?user=user-0001&item=absent", 404, "unknown item 'absent'"),
        ("/v1/explain?user=user-0001&item=item-0001&k=0", 422, "k must be at least 1"),
        ("/v1/items?search=a&id=b", 422, "name either search= or id=, not both"),
        ("/v1/items?id=absent", 404, "unknown item 'absent'"),
        ("/v1/items?limit=0", 422, "limit: input should be greater than or equal to 1"),
        ("/v1/image?item=absent", 404, "unknown item"),
        ("/v1/image?item=../../etc/passwd", 404, "unknown item"),
        ("/v1/image?item=item-0001&side=17", 422, "side must be one of 160, 320, 640 (got 17)"),
        ("/v1/recommend?user=%ff%fe", 404, "unknown user"),
        ("/v1/recommend?user=%00", 404, "unknown user '\\x00'"),
        ("/nowhere/%0d%0a", 404, "there is nothing at /nowhere/"),
        ("/docs", 404, "there is nothing"),
    ],
)
def test_addresses(client, path, status, words):
    assert words in said(client.get(path), status)


def test_methods(client):
    assert said(client.delete("/v1/recommend"), 405) == "DELETE is not answered at /v1/recommend"
    assert client.head("/health").status_code == 200


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "body: invalid JSON"),
        (b"{", "body: invalid JSON"),
        (b"[]", "body: input should be an object"),
        (b"\xff\xfe", "body: invalid JSON"),
        (b'{"users": ["\\ud800"]}', "body: invalid JSON"),
        (b'{"users": "a"}', "users: input should be a valid array (got 'a')"),
        (b'{"users": [1.5]}', "users.0: input should be a valid string (got 1.5)"),
        (b'{"users": [true]}', "users.0: input should be a valid"),
        (b'{"users": [null]}', "users.0: input should be a valid"),
        (b'{"users": [1e400]}', "users.0: input should be a valid"),
        (b'{"users": [' + b"9" * 400 + b"]}", "got a number of more than 64 bits"),
        (b'{"users": ["a"], "k": NaN}', "k: input should be a finite number"),
        (b'{"users": ["a"], "k": -Infinity}', "k: input should be a finite number"),
        (b'{"users": ["a"], "k": ' + b"9" * 5000 + b"}", "body: invalid JSON: number out of range"),
        (b"[" * 10_000, "body: invalid JSON: recursion limit exceeded"),
        (b'{"users": ["a"], "exclude": {"a": "b"}}', "exclude.a: input should be a valid array"),
        (json.dumps({"users": ["a"] * 21}).encode(), "the number of users must be at most 20 (got 21); max_users"),
        (json.dumps({"users": ["user-0001"], "only_items": ["a"] * 31}).encode(), "the number of only_items must be"),
        (json.dumps({"users": ["user-0001"], "exclude": {"a": ["b"] * 31}}).encode(), "the number of pairs in exclude"),
        (json.dumps({"users": ["user-0001"], "only_items": []}).encode(), "no item is left by only_items=…"),
    ],
)
def test_bodies(client, body, words):
    assert words in said(client.post("/v1/recommend", content=body))


def test_large_bodies_are_not_read(client):
    assert said(client.post("/v1/recommend", content=b" " * 20_001), 413) == (
        "the body has more than 20,000 bytes (see max_body)"
    )
    parts = iter([b" " * 15_000] * 3)  # without a length
    assert "more than 20,000 bytes" in said(client.post("/v1/recommend", content=parts), 413)
    odd = client.post("/v1/recommend", content=b"{}", headers={"content-length": "-1"})
    assert odd.status_code == 413


@pytest.mark.parametrize("path", ["/v1/recommend", "/v1/basket", "/v1/similar"])
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.dictionaries(
        st.sampled_from(["users", "items", "item", "k", "where", "seen", "only_items", "exclude", "x"]),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
            max_leaves=6,
        ),
    )
)
def test_whatever_is_sent(client, path, body):
    answer = client.post(path, content=json.dumps(body).encode())
    assert answer.status_code in (200, 404, 422), answer.text


def test_nobody_waits_for_ever(served_run, monkeypatch):
    app = make_app(ServiceSettings(served_run, timeout=0.2, threads=1, waiting=1))
    goes_on = threading.Event()
    monkeypatch.setattr(app.service.run.top, "recommend_for_items", lambda *_, **__: goes_on.wait(20))

    async def slow_body():
        yield b'{"items"'
        await asyncio.sleep(5)

    async def ask():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            basket = {"items": ["item-0001"]}
            late = await client.post("/v1/basket", json=basket)
            assert said(late, 503) == "the answer takes more than 0.2 s; ask for less, or try again"
            assert late.headers["retry-after"] == "1"
            # the thread is still at work: one may wait, the next is turned away at once
            waiting = asyncio.create_task(client.post("/v1/basket", json=basket))
            await asyncio.sleep(0.05)
            started = time.monotonic()
            assert said(await client.post("/v1/basket", json=basket), 503).startswith("more requests wait than may")
            assert time.monotonic() - started < 0.15
            assert (await waiting).status_code == 503
            assert (await client.get("/health")).status_code == 200
            begun = await client.post("/v1/basket", content=slow_body())
            assert said(begun, 408) == "the request was not complete after 0.2 s"
        goes_on.set()

    run_apart(ask())


def test_a_fault_tells_nothing_and_is_logged(served_run, monkeypatch, caplog):
    app = make_app(ServiceSettings(served_run))

    def broken(*_, **__):
        raise RuntimeError("secret")

    monkeypatch.setattr(app.service.run.top, "similar", broken)
    answer = TestClient(app, raise_server_exceptions=False).get("/v1/similar", params={"item": "item-0001"})
    assert said(answer, 500) == "a fault of the service; its log says more"
    assert "secret" in caplog.text


@pytest.mark.parametrize("name", ["max_k", "max_users", "max_body", "timeout", "threads"])
@pytest.mark.parametrize("value", [0, -1])
def test_limits_below_one(served_run, name, value):
    with pytest.raises(InputError, match=f"{name} must be at least"):
        ServiceSettings(served_run, **{name: value})
