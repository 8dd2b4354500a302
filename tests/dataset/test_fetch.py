"""Downloads against a server on this machine: whole, broken off, changed, wrong, absent."""

import hashlib
import io
import json
import socket
import zipfile
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from alignrec_geo.dataset import download as downloading
from alignrec_geo.dataset.fetch import FetchedFile, fetch, read_record
from alignrec_geo.dataset.recipes import Recipe
from alignrec_geo.errors import FetchError, InputError
from tests.dataset.small_recipe import CONTENT, make_recipe, names, sha256
from tests.file_server import FileServer, closed_url, serving


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloading, "PAUSE", 0.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_a_file_comes_whole_is_checked_and_recorded(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int | None]] = []
    with serving(FileServer(CONTENT)) as server:
        recipe = make_recipe(server.url, sha256=sha256(CONTENT), md5=hashlib.md5(CONTENT).hexdigest(), bytes=400_000)
        paths = fetch(recipe, tmp_path / "toy", lambda *step: seen.append(step))
        url = server.url
    assert paths == [tmp_path / "toy" / "toy.bin"]
    assert paths[0].read_bytes() == CONTENT
    assert names(tmp_path / "toy") == ["fetched.json", "toy.bin"]
    assert seen[-1] == ("toy.bin", 400_000, 400_000)
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    expected = FetchedFile(url=f"{url}/toy.bin", bytes=400_000, sha256=sha256(CONTENT), hash_published=True)
    assert read_record(tmp_path / "toy").files == {"toy.bin": expected}


def test_a_file_that_is_there_and_right_is_not_asked_for_again(tmp_path: Path) -> None:
    with serving(FileServer(CONTENT)) as server:
        recipe = make_recipe(server.url, sha256=sha256(CONTENT))
        fetch(recipe, tmp_path)
        fetch(recipe, tmp_path)
        assert len(server.asked) == 1
        (tmp_path / "toy.bin").write_bytes(b"spoiled")
        fetch(recipe, tmp_path)
        assert len(server.asked) == 2
    assert (tmp_path / "toy.bin").read_bytes() == CONTENT


def test_without_a_published_hash_the_recorded_one_says_what_is_right(tmp_path: Path) -> None:
    with serving(FileServer(CONTENT)) as server:
        recipe = make_recipe(server.url)
        fetch(recipe, tmp_path)
        assert read_record(tmp_path).files["toy.bin"].hash_published is False
        fetch(recipe, tmp_path)
        assert len(server.asked) == 1
        (tmp_path / "toy.bin").write_bytes(b"spoiled")
        fetch(recipe, tmp_path)
        assert len(server.asked) == 2


def test_a_file_placed_by_hand_needs_no_network(tmp_path: Path) -> None:
    (tmp_path / "toy.bin").write_bytes(CONTENT)
    fetch(make_recipe(closed_url(), sha256=sha256(CONTENT)), tmp_path)
    assert read_record(tmp_path).files["toy.bin"].sha256 == sha256(CONTENT)


def test_a_connection_that_breaks_off_is_resumed(tmp_path: Path) -> None:
    with serving(FileServer(CONTENT, cut=2)) as server:
        fetch(make_recipe(server.url, sha256=sha256(CONTENT)), tmp_path)
        assert server.asked == [None, "bytes=200000-", "bytes=300000-"]
    assert (tmp_path / "toy.bin").read_bytes() == CONTENT


def test_an_interrupted_run_is_resumed_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloading, "ATTEMPTS", 1)
    with serving(FileServer(CONTENT, cut=1)) as server:
        recipe = make_recipe(server.url, sha256=sha256(CONTENT))
        with pytest.raises(FetchError, match=r"broke off after 200000 of 400000 bytes.*again to resume"):
            fetch(recipe, tmp_path)
        assert names(tmp_path) == ["toy.bin.part", "toy.bin.part.json"]
        fetch(recipe, tmp_path)
        assert server.asked == [None, "bytes=200000-"]
    assert names(tmp_path) == ["fetched.json", "toy.bin"]
    assert (tmp_path / "toy.bin").read_bytes() == CONTENT


@pytest.mark.parametrize(
    "server", [FileServer(CONTENT, cut=1, ranges=False), FileServer(CONTENT, cut=1, version=False)]
)
def test_without_ranges_or_versions_it_starts_again(tmp_path: Path, server: FileServer) -> None:
    with serving(server):
        fetch(make_recipe(server.url, sha256=sha256(CONTENT)), tmp_path)
        assert server.asked == [None, "bytes=200000-" if server.version else None]
    assert (tmp_path / "toy.bin").read_bytes() == CONTENT


def test_a_file_that_changed_meanwhile_starts_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloading, "ATTEMPTS", 1)
    with serving(FileServer(CONTENT, cut=1)) as server:
        recipe = make_recipe(server.url)
        with pytest.raises(FetchError):
            fetch(recipe, tmp_path)
        server.content = CONTENT[::-1]
        fetch(recipe, tmp_path)
    assert (tmp_path / "toy.bin").read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("note", ["not JSON", json.dumps({"url": "http://elsewhere", "version": "x"}), "[]"])
def test_a_part_of_unknown_origin_is_not_continued(tmp_path: Path, note: str) -> None:
    (tmp_path / "toy.bin.part").write_bytes(b"something else")
    (tmp_path / "toy.bin.part.json").write_text(note)
    with serving(FileServer(CONTENT)) as server:
        fetch(make_recipe(server.url), tmp_path)
        assert server.asked == [None]
    assert (tmp_path / "toy.bin").read_bytes() == CONTENT


def test_a_part_longer_than_the_file_and_a_wrong_part_start_again(tmp_path: Path) -> None:
    with serving(FileServer(CONTENT)) as server:
        note = json.dumps({"url": f"{server.url}/toy.bin", "version": server.etag})
        (tmp_path / "toy.bin.part").write_bytes(CONTENT + b"more")
        (tmp_path / "toy.bin.part.json").write_text(note)
        fetch(make_recipe(server.url), tmp_path)
        assert server.asked == ["bytes=400004-", None]
        (tmp_path / "toy.bin").unlink()
        (tmp_path / "toy.bin.part").write_bytes(CONTENT[:10])
        (tmp_path / "toy.bin.part.json").write_text(note)
        server.shift = 5
        fetch(make_recipe(server.url), tmp_path)
        assert server.asked[2:] == ["bytes=10-", None]
    assert (tmp_path / "toy.bin").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ({"sha256": "0" * 64}, f"wrong hash, sha256 is {sha256(CONTENT)}, the recipe says 0000"),
        ({"md5": "0" * 32}, "wrong hash, md5 is"),
        ({"bytes": 400_001}, "400000 bytes came, the recipe says 400001"),
        ({"bytes": 17}, "the server offers 400000 bytes or more, the recipe says 17"),
    ],
)
def test_a_wrong_file_is_refused_and_removed(tmp_path: Path, file: dict[str, Any], message: str) -> None:
    with serving(FileServer(CONTENT)) as server, pytest.raises(FetchError, match=message):
        fetch(make_recipe(server.url, **file), tmp_path)
    assert names(tmp_path) == []


def test_no_such_page_is_told_at_once_and_a_busy_server_is_asked_again(tmp_path: Path) -> None:
    with serving(FileServer(CONTENT, status=[404])) as server:
        with pytest.raises(FetchError, match=r"the server answers 404 Not Found.*place it as .*toy.bin"):
            fetch(make_recipe(server.url), tmp_path)
        assert len(server.asked) == 1
        server.status = [503, 429]
        fetch(make_recipe(server.url), tmp_path)
        assert len(server.asked) == 4
        (tmp_path / "toy.bin").unlink()
        server.status = [503] * 9
        with pytest.raises(FetchError, match="the server answers 503"):
            fetch(make_recipe(server.url), tmp_path)
        assert len(server.asked) == 4 + downloading.ATTEMPTS


def test_nobody_listens(tmp_path: Path) -> None:
    url = closed_url()
    with pytest.raises(FetchError, match=rf"^{url}/toy.bin: no network, or the server cannot be reached.*place it as"):
        fetch(make_recipe(url), tmp_path)


def test_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def no_name(*args: object, **options: object) -> None:
        asked.append(args)
        raise URLError(socket.gaierror(-3, "Temporary failure in name resolution"))

    monkeypatch.setattr(downloading, "urlopen", no_name)
    with pytest.raises(FetchError, match=r"no network.*name resolution"):
        fetch(make_recipe("https://example.org"), tmp_path)
    assert len(asked) == 1


def test_optional_files_come_when_asked_for_and_a_mirror_may_have_them(tmp_path: Path) -> None:
    with serving(FileServer(CONTENT)) as server:
        recipe = make_recipe("http://nowhere.invalid", optional=True)
        assert fetch(recipe, tmp_path, base_url=server.url) == []
        assert fetch(recipe, tmp_path, base_url=f"{server.url}/", optional=True) == [tmp_path / "toy.bin"]


def test_archives_are_unpacked(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("toy/ratings.csv", "user,item\na,b\n")
    with serving(FileServer(packed.getvalue())) as server:
        paths = fetch(make_recipe(server.url, unpack=True), tmp_path)
    assert paths == [tmp_path / "toy.bin", tmp_path / "toy" / "ratings.csv"]
    assert paths[1].read_text() == "user,item\na,b\n"


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file: cannot be made"):
        fetch(make_recipe("http://localhost"), tmp_path / "file")
    (tmp_path / "fetched.json").write_text('{"recipe": "other", "files": {}}')
    with pytest.raises(InputError, match="holds the files of 'other'"):
        fetch(make_recipe("http://localhost"), tmp_path)
    (tmp_path / "fetched.json").write_text('{"recipe": 3}')
    with pytest.raises(InputError, match="not a record of 'data fetch'"):
        fetch(make_recipe("http://localhost"), tmp_path)


def test_recipes_without_files_say_what_to_do(tmp_path: Path) -> None:
    given = make_recipe("http://localhost").model_dump(by_alias=True, exclude={"files"})
    with pytest.raises(InputError, match=r"no direct address: Ask them\. Then: alignrec-geo data import"):
        fetch(Recipe.model_validate({**given, "manual": "Ask them."}), tmp_path)
    with pytest.raises(InputError, match="generated, not downloaded"):
        fetch(Recipe.model_validate({**given, "generated": True}), tmp_path)


@pytest.mark.parametrize("length", [True, False])
def test_more_bytes_than_the_limit_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: bool) -> None:
    monkeypatch.setenv("ALIGNREC_LIMITS", "download_bytes=1000")
    with serving(FileServer(CONTENT, length=length)) as server:
        with pytest.raises(FetchError, match=r"bytes or more; the limit is 1000 .*ALIGNREC_LIMITS=download_bytes"):
            fetch(make_recipe(server.url), tmp_path)
        assert names(tmp_path) == []
        fetch(make_recipe(server.url, bytes=400_000), tmp_path)


def test_links_in_the_folder_lead_no_file_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "mine").write_text("precious")
    (tmp_path / "out" / "toy.bin").symlink_to(tmp_path / "mine")
    with pytest.raises(InputError, match=r"toy\.bin: is a link that leads out of .*out"):
        fetch(make_recipe("http://localhost"), tmp_path / "out")
    assert (tmp_path / "mine").read_text() == "precious"


@pytest.mark.parametrize("mirror", ["ftp://a/b", "http://[::1", "nothing"])
def test_an_impossible_mirror(tmp_path: Path, mirror: str) -> None:
    with pytest.raises(InputError, match="base_url= must be an http or https address"):
        fetch(make_recipe("http://localhost"), tmp_path, base_url=mirror)
