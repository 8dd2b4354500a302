"""Every ``curl`` of docs/serving.md is answered, with the fields that the page shows."""

import json
import re
import shlex
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from starlette.testclient import TestClient

from alignrec_geo.service import ServiceSettings, make_app

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "serving.md").read_text()
CALLS = re.findall(r"^\$ (curl .+)\n(\{.+)?", PAGE, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def local(served_run):
    return TestClient(make_app(ServiceSettings(served_run, allow_reload=True)), client=("127.0.0.1", 1))


def shape(value):
    """The fields of a value, and of the first element of its lists."""
    if isinstance(value, dict):
        return {name: shape(part) for name, part in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


@pytest.mark.parametrize(("command", "shown"), CALLS, ids=[command for command, _ in CALLS])
def test_curl(local, command, shown):
    words = shlex.split(command)
    address = next(word for word in words if word.startswith("http://127.0.0.1:8000"))
    parts = urlsplit(address)
    encoded = [words[place + 1] for place, word in enumerate(words) if word == "--data-urlencode"]
    query = parts.query or urlencode([tuple(one.split("=", 1)) for one in encoded])
    body = words[words.index("-d") + 1] if "-d" in words else None
    post = body is not None or "-X" in words
    answer = local.request("POST" if post else "GET", f"{parts.path}?{query}", content=body)
    if not shown:
        assert answer.status_code == 200, answer.text
        return
    told = json.loads(shown)
    assert answer.status_code == told.get("status", 200), answer.text
    assert shape(answer.json()) == shape(told)
    if answer.status_code != 200:
        assert answer.json()["detail"].startswith(told["detail"])


def test_there_are_calls():
    paths = {urlsplit(word).path for command, _ in CALLS for word in shlex.split(command) if word.startswith("http")}
    described = {path for path in make_paths() if path not in ("/health", "/ready", "/metrics")}
    assert described == paths


def make_paths():
    source = (Path(__file__).resolve().parents[2] / "alignrec_geo" / "service" / "routes").glob("*.py")
    text = "\n".join(file.read_text() for file in source)
    found = re.findall(r'@router\.(?:get|post)\(\s*"(/[^"]*)"', text)
    under = {"/recommend", "/basket", "/similar", "/items", "/users", "/image", "/explain"}
    return {f"/v1{path}" if path in under else path for path in found if path not in ("/", "/icon.svg")}


def test_every_limit_is_listed():
    for name in ("max_k", "max_users", "max_body", "timeout", "threads"):
        assert f"| `--{name.replace('_', '-')}` |" in PAGE
    usual = ServiceSettings(Path("run"))
    assert f"| `--max-k` | {usual.max_k} |" in PAGE
    assert f"| `--max-users` | {usual.max_users:,} |" in PAGE
    assert f"| `--max-body` | {usual.max_body >> 20} MiB |" in PAGE
    assert f"| `--timeout` | {usual.timeout:g} s |" in PAGE
    assert f"| `--threads` | {usual.threads} |" in PAGE
    assert f"{usual.waiting} more may wait" in PAGE
    assert f"| {usual.max_ids:,} |" in PAGE
