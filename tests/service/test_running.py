"""The service itself: health, counts, the page, and the change to another run."""

import asyncio
import os
import shutil

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from alignrec_geo.service import ServiceSettings, make_app
from alignrec_geo.serving import save_embeddings
from tests.service.apart import run_apart
from tests.serving.drawn import drawn


@pytest.fixture
def two_runs(tmp_path):
    """The folders of two runs, and their tables."""
    tops = [drawn(seed=seed) for seed in (0, 1)]
    for number, top in enumerate(tops):
        save_embeddings(tmp_path / f"run-{number}", top.embeddings, tops[0].dataset)
        top.dataset = tops[0].dataset
    return [tmp_path / "run-0", tmp_path / "run-1"], tops


def test_health_and_what_is_served(client, top):
    assert client.get("/health").json()["status"] == "ok"
    ready = client.get("/ready").json()
    assert ready["status"] == "ready"
    facts = client.get("/v1/run").json()
    assert facts["identity"] == ready["identity"]
    assert (facts["users"], facts["items"], facts["cold_items"]) == (60, 41, 1)
    assert facts["columns"]["price"] == "Float64"
    assert "image" not in facts["columns"]
    assert set(facts["example_users"]) < set(top.users.ids)


def test_counts(served_run):
    client = TestClient(make_app(ServiceSettings(served_run)))
    for user in ("user-0001", "user-0002", "nobody"):
        client.get("/v1/recommend", params={"user": user})
    client.get("/some/stranger/1"), client.get("/some/stranger/2"), client.request("BREW", "/health")
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for sample in family.samples
    }
    assert found["alignrec_requests_total", "GET", "/v1/recommend", "200"] == 2
    assert found["alignrec_requests_total", "GET", "/v1/recommend", "404"] == 1
    assert found["alignrec_requests_total", "GET", "other", "404"] == 2
    assert found["alignrec_requests_total", "other", "/health", "405"] == 1
    assert found["alignrec_request_seconds_count", "/v1/recommend"] == 3
    assert found["alignrec_requests_running",] == 1


def test_the_page_allows_itself_only(client):
    answer = client.get("/")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert "http://" not in answer.text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in answer.text
    assert client.get("/icon.svg").headers["content-type"] == "image/svg+xml"


def test_openapi_lists_everything_with_examples(client):
    described = client.get("/openapi.json").json()
    assert set(described["paths"]) == {
        *("/v1/recommend", "/v1/basket", "/v1/similar", "/v1/items", "/v1/users", "/v1/image", "/v1/explain"),
        *("/v1/run", "/health", "/ready", "/metrics", "/admin/reload"),
    }
    (user, *_) = described["paths"]["/v1/recommend"]["get"]["parameters"]
    assert user["required"]
    assert user["example"] == "user-0001"
    assert "Problem" in described["components"]["schemas"]
    assert "HTTPValidationError" not in str(described)


def test_every_answer_during_a_reload_is_one_of_the_two_runs(two_runs, tmp_path):
    folders, tops = two_runs
    current = tmp_path / "current"
    current.symlink_to(folders[0])
    app = make_app(ServiceSettings(current, allow_reload=True))
    users = [f"u{number}" for number in range(20)]
    expected = [{user: [one._asdict() for one in top.recommend([user])[user]] for user in users} for top in tops]
    assert expected[0] != expected[1]

    async def load():
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            done, seen = asyncio.Event(), []

            async def ask(number):
                while not done.is_set():
                    user = users[number]
                    answer = await client.get("/v1/recommend", params={"user": user})
                    assert answer.status_code == 200
                    seen.append([answer.json()["items"] == each[user] for each in expected])
                    await asyncio.sleep(0)

            asking = [asyncio.create_task(ask(number)) for number in range(8)]
            await asyncio.sleep(0.1)
            (tmp_path / "next").symlink_to(folders[1])
            os.replace(tmp_path / "next", current)
            assert (await client.post("/admin/reload")).json()["reloaded"]
            after = len(seen)
            await asyncio.sleep(0.1)
            done.set()
            await asyncio.gather(*asking)
            return seen, after

    seen, after = run_apart(load())
    assert all(one.count(True) == 1 for one in seen)
    assert [True, False] in seen[:after]
    assert all(one == [False, True] for one in seen[after + 8 :])
    assert len(seen) > after + 8


def test_a_reload_that_fails_changes_nothing(two_runs, tmp_path):
    folders, _ = two_runs
    app = make_app(ServiceSettings(folders[0], allow_reload=True))
    client = TestClient(app, client=("127.0.0.1", 1))
    before = client.get("/v1/recommend", params={"user": "u1"}).json()
    assert client.post("/admin/reload").json() == {"reloaded": False, "identity": app.service.run.identity}
    (folders[0] / "embeddings.safetensors").write_bytes(b"no tables")
    answer = client.post("/admin/reload")
    assert answer.status_code == 409
    assert answer.json()["detail"].startswith("not reloaded: ")
    shutil.rmtree(folders[0])
    assert client.post("/admin/reload").status_code == 409
    assert client.get("/v1/recommend", params={"user": "u1"}).json() == before
    assert 'alignrec_reloads_total{result="failed"} 2.0' in client.get("/metrics").text


@pytest.mark.parametrize(
    ("allow", "host", "headers", "words"),
    [
        (False, "127.0.0.1", {}, "allow_reload is off"),
        (True, "10.1.2.3", {}, "from the service's own machine"),
        (True, "127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, "not through a proxy"),
        (True, "127.0.0.1", {"Forwarded": "for=127.0.0.1"}, "not through a proxy"),
        (True, "127.0.0.1", {"Origin": "http://evil.example"}, "not asked for by a web page"),
        (True, "127.0.0.1", {"Sec-Fetch-Site": "cross-site"}, "not asked for by a web page"),
    ],
)
def test_who_may_ask_for_a_reload(two_runs, allow, host, headers, words):
    app = make_app(ServiceSettings(two_runs[0][0], allow_reload=allow))
    answer = TestClient(app, client=(host, 1)).post("/admin/reload", headers=headers)
    assert answer.status_code == 403
    assert words in answer.json()["detail"]
