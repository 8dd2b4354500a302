"""The verb ``data fetch``."""

import hashlib
import io
import json
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.file_server import FileServer, closed_url, serving

RECIPE = """
name = "toy"
title = "Toy"
homepage = "https://example.org"
licence = "free for all"
citation = "none"
import = "alignrec-geo data import table {{folder}}/toy/clicks.csv --out toy"
[statistics.toy]
users = 3
items = 3
interactions = 9
[[files]]
url = "{url}/toy.zip"
path = "toy.zip"
unpack = true
"""


@pytest.fixture
def packed() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        rows = [f"{user},{item}" for user in "abc" for item in "xyz"]
        archive.writestr("toy/clicks.csv", "\n".join(["user,item", *rows]) + "\n")
    return buffer.getvalue()


def test_fetch_then_the_import_command_it_prints(cli: Cli, tmp_path: Path, packed: bytes) -> None:
    with serving(FileServer(packed)) as server:
        (tmp_path / "recipe.toml").write_text(RECIPE.format(url=server.url))
        done = cli("data", "fetch", "recipe.toml", check=0)
        again = cli("data", "fetch", "recipe.toml", "--json", check=0)
        assert len(server.asked) == 1
    command = done.stdout.splitlines()[-1].strip()
    assert command == "alignrec-geo data import table downloads/toy/toy/clicks.csv --out toy"
    assert "licence: free for all" in done.stderr
    sha256 = hashlib.sha256(packed).hexdigest()
    assert f"toy.zip: its owner publishes no hash; sha256 of what came: {sha256}" in done.stderr
    answer = json.loads(again.stdout)
    assert answer["import"] == command
    assert answer["folder"] == "downloads/toy"
    assert answer["files"][0]["path"] == "toy.zip"
    assert answer["files"][0]["sha256"] == sha256
    imported = cli(*command.split()[1:], "--json", check=0)
    assert json.loads(imported.stdout)["interactions"] == 9


def test_no_network_is_a_failure_with_a_way_out(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE.format(url=closed_url()))
    failed = cli("data", "fetch", "recipe.toml", "--out", "here", "--json", check=1)
    assert failed.stdout == ""
    errors = [line for line in failed.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "no network, or the server cannot be reached" in errors[0]
    assert "place it as here/toy.zip" in errors[0]
    assert "Traceback" not in failed.stderr
    assert list((tmp_path / "here").iterdir()) == []


def test_a_wrong_hash_is_a_failure(cli: Cli, tmp_path: Path, packed: bytes) -> None:
    with serving(FileServer(packed)) as server:
        (tmp_path / "recipe.toml").write_text(RECIPE.format(url=server.url) + f'md5 = "{"0" * 32}"\n')
        failed = cli("data", "fetch", "recipe.toml", "--out", "here", check=1)
    assert "wrong hash, md5 is" in failed.stderr
    assert list((tmp_path / "here").iterdir()) == []


def test_a_mirror(cli: Cli, tmp_path: Path, packed: bytes) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE.format(url="http://nowhere.invalid"))
    with serving(FileServer(packed)) as server:
        cli("data", "fetch", "recipe.toml", "--mirror", server.url, "--out", "here", check=0)
    assert (tmp_path / "here" / "toy" / "clicks.csv").read_text().startswith("user,item\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name a recipe to fetch"),
        (["ml-2k"], "no recipe called 'ml-2k'; known are amazon-baby"),
        (["mmrec"], "'mmrec' has no direct address: MMRec publishes its processed folders on Google Drive"),
    ],
)
def test_bad_input(cli: Cli, tmp_path: Path, arguments: list[str], message: str) -> None:
    refused = cli("data", "fetch", *arguments, check=2)
    assert refused.stderr.startswith("error: ")
    assert message in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_list(cli: Cli) -> None:
    recipes = {
        recipe["name"]: recipe
        for recipe in json.loads(cli("data", "fetch", "--list", "--json", check=0).stdout)["recipes"]
    }
    assert recipes["ml-1m"]["way"] == "download"
    assert recipes["ml-1m"]["statistics"] == {"ml-1m": {"users": 6040, "items": 3706, "interactions": 1000209}}
    assert "1,689,188" in cli("data", "fetch", "--list", check=0).stdout


def test_the_catalogue_is_generated(cli: Cli, tmp_path: Path) -> None:
    made = json.loads(cli("data", "fetch", "catalogue", "--out", "shop", "--json", check=0).stdout)
    assert made["import"] == "alignrec-geo data fetch catalogue --out shop"
    described = json.loads(cli("data", "describe", "shop", "--json", check=0).stdout)
    assert (described["users"], described["items"]) == (1000, 600)
    assert "alignrec-geo data describe shop" in cli("data", "fetch", "catalogue", "--out", "shop", check=0).stdout
    manifest = tmp_path / "shop" / "dataset.json"
    manifest.write_text(manifest.read_text().replace('"name": "catalogue"', '"name": "other"'))
    assert "holds another data set" in cli("data", "fetch", "catalogue", "--out", "shop", check=2).stderr
    shutil.rmtree(tmp_path / "shop")


def test_help_has_an_example(cli: Cli) -> None:
    assert "Example: alignrec-geo data fetch ml-100k" in cli("data", "fetch", "--help", check=0).stdout
