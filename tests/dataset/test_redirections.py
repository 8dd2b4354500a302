"""Where a download may be sent on to."""

import io
from pathlib import Path

import pytest

from alignrec_geo.dataset import download as downloading
from alignrec_geo.dataset.download import download
from alignrec_geo.dataset.fetch import fetch
from alignrec_geo.errors import FetchError, InputError
from tests.dataset.small_recipe import CONTENT, make_recipe, names, sha256
from tests.file_server import FileServer, serving


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloading, "PAUSE", 0.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.mark.parametrize(
    "place", ["ftp://127.0.0.1/x", "file:///etc/passwd", "data:,x", "http://[::1", "gopher://a/b", "//[x"]
)
def test_a_redirection_to_something_else_is_refused(tmp_path: Path, place: str) -> None:
    with (
        serving(FileServer(CONTENT, redirect=place)) as server,
        pytest.raises(FetchError, match="edirect"),
    ):
        fetch(make_recipe(server.url), tmp_path)
    assert len(server.asked) == 1
    assert names(tmp_path) == []


def test_a_redirection_from_https_to_http_is_refused() -> None:
    handler = downloading._Redirections()
    safe = downloading.Request("https://a.b/c")
    headers = downloading.HTTPMessage()
    with pytest.raises(downloading._Refused, match=r"redirects from https to http://a\.b/d; refused"):
        handler.redirect_request(safe, io.BytesIO(), 302, "Found", headers, "http://a.b/d")
    followed = handler.redirect_request(safe, io.BytesIO(), 302, "Found", headers, "https://c.d/e")
    assert followed is not None
    assert followed.full_url == "https://c.d/e"


def test_a_redirection_to_another_place_is_followed(tmp_path: Path) -> None:
    with serving(FileServer(CONTENT, redirect="/moved")) as server:
        fetch(make_recipe(server.url, sha256=sha256(CONTENT)), tmp_path)
        assert len(server.asked) == 2


@pytest.mark.parametrize("url", ["ftp://host/x", "/etc/passwd", "http:///x", ""])
def test_what_is_no_address(tmp_path: Path, url: str) -> None:
    with pytest.raises(InputError, match="an address must be"):
        download(url, tmp_path / "in" / "x", lambda path: None)
    assert list(tmp_path.iterdir()) == []
