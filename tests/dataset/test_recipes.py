"""Every recipe of the checkout is complete, and its import command is one that the command line takes."""

import gzip
import json
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer

from alignrec_geo.cli.app import app
from alignrec_geo.dataset import make_catalogue, recipes
from alignrec_geo.dataset.recipes import Recipe, find_recipe, list_recipes, read_recipe
from alignrec_geo.errors import InputError
from tests.command_words import verb_of

DATASETS = Path(__file__).resolve().parents[2] / "datasets"
NAMES = (
    "amazon-baby",
    "amazon-clothing",
    "amazon-electronics",
    "amazon-sports",
    "catalogue",
    "ml-100k",
    "ml-1m",
    "mmrec",
)

GOOD = """
name = "toy"
title = "Toy"
homepage = "https://example.org"
licence = "none"
citation = "none"
import = "alignrec-geo data import table {folder}/toy.csv --out toy"
[statistics.toy]
users = 1
items = 1
interactions = 1
[[files]]
url = "https://example.org/toy.csv"
path = "toy.csv"
"""


def test_the_recipes_of_the_checkout() -> None:
    assert tuple(recipe.name for recipe in list_recipes()) == NAMES
    assert tuple(sorted(folder.name for folder in DATASETS.iterdir() if folder.is_dir())) == NAMES
    assert not list(DATASETS.rglob("__init__.py"))


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_complete(name: str) -> None:
    recipe = find_recipe(name)
    assert recipe.name == name
    readme = (DATASETS / name / "README.md").read_text(encoding="utf-8")
    assert "Licence" in readme
    assert "alignrec-geo data " in readme
    for counts in recipe.statistics.values():
        assert all(f"{count:,}" in readme for count in (counts.users, counts.items, counts.interactions))
    if recipe.files:
        assert any("{folder}/" in recipe.import_command for _ in recipe.files)
        assert all(file.url.startswith("https://") for file in recipe.files)


def _parsed(words: list[str]) -> dict[str, object]:
    """What the command line makes of the words; click refuses options that a verb does not have."""
    command, words = verb_of(typer.main.get_command(app), words)
    return dict(command.make_context(command.name or "", words).params)


@pytest.mark.parametrize("name", NAMES)
def test_the_command_line_takes_the_import_command(name: str, tmp_path: Path) -> None:
    program, *words = shlex.split(find_recipe(name).import_line(tmp_path / "a folder"))
    assert program == "alignrec-geo"
    assert _parsed(words)["out"] is not None


def test_the_command_line_refuses_what_no_verb_takes() -> None:
    with pytest.raises(Exception, match="--no-such"):
        _parsed(["data", "fetch", "ml-1m", "--no-such", "option"])


def test_the_statistics_of_the_catalogue_are_its_counts() -> None:
    counts = make_catalogue().counts()
    known = find_recipe("catalogue").statistics["catalogue"].model_dump()
    assert {name: counts[name] for name in known} == known


def test_readme_code_turns_amazon_files_into_tables(tmp_path: Path) -> None:
    readme = (DATASETS / "amazon-baby" / "README.md").read_text(encoding="utf-8")
    code = readme.split("```python\n")[1].split("```")[0]
    with gzip.open(tmp_path / "reviews_Baby_5.json.gz", "wt") as reviews:
        reviews.write(json.dumps({"reviewerID": "u", "asin": "B000000001"}) + "\n")
    with gzip.open(tmp_path / "meta_Baby.json.gz", "wt") as meta:
        product = {"asin": "B000000001", "title": "It's a cup", "categories": [["Baby", "Cups"]]}
        meta.writelines(f"{line}\n" for line in (product, {"asin": "B000000002"}))
    record = np.zeros(2, dtype=[("asin", "S10"), ("vector", "<f4", 4096)])
    record["asin"], record["vector"][1] = [b"B000000002", b"B000000001"], 0.5
    (tmp_path / "image_features_Baby.b").write_bytes(record.tobytes())
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    with gzip.open(tmp_path / "items.jsonl.gz", "rt") as items:
        lines = [json.loads(line) for line in items]
    assert [(line["asin"], line["title"], line["categories"]) for line in lines] == [
        ("B000000001", "It's a cup", ["Baby", "Cups"])
    ]
    matrix = np.load(tmp_path / "image.npy", allow_pickle=False)
    assert matrix.dtype == np.float32
    assert matrix.shape == (1, 4096)
    assert (matrix == 0.5).all()
    assert (tmp_path / "image_ids.txt").read_text() == "B000000001\n"


def test_a_recipe_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(GOOD)
    recipe = find_recipe(str(tmp_path / "recipe.toml"))
    assert recipe.way == "download"
    assert recipe.import_line(Path("my files")) == "alignrec-geo data import table 'my files/toy.csv' --out toy"


def test_whatever_stands_in_an_import_command_is_an_argument(tmp_path: Path) -> None:
    hostile = GOOD.replace("--out toy", "--out toy; rm -rf ~ $(id) `id` > x | y && z")
    (tmp_path / "recipe.toml").write_text(hostile)
    line = read_recipe(tmp_path / "recipe.toml").import_line(Path("-a b"))
    assert line == (
        "alignrec-geo data import table './-a b/toy.csv' --out 'toy;' rm -rf '~' '$(id)' '`id`' '>' x '|' y '&&' z"
    )


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"no recipe called 'ml-2k'; known are amazon-baby, .*, ml-1m, mmrec"):
        find_recipe("ml-2k")


def test_recipes_of_an_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside a checkout they lie in the data folder of the environment."""
    monkeypatch.setattr(recipes, "__file__", str(tmp_path / "site" / "alignrec_geo" / "dataset" / "recipes.py"))
    monkeypatch.setattr(recipes.sysconfig, "get_path", lambda *_: str(tmp_path))
    with pytest.raises(InputError, match="known are none"):
        find_recipe("toy")
    folder = tmp_path / "share" / "alignrec_geo" / "datasets" / "toy"
    folder.mkdir(parents=True)
    (folder / "recipe.toml").write_text(GOOD)
    assert find_recipe("toy").title == "Toy"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[[files]]", "[[files", "not a readable recipe in TOML"),
        ('title = "Toy"', 'titel = "Toy"', "title: Field required"),
        ('title = "Toy"', 'title = "Toy"\ncolour = 1', "unknown setting 'colour'"),
        ("users = 1", "users = 0", "statistics.toy.users: Input should be greater"),
        ("https://example.org/toy.csv", "file:///etc/passwd", "files.0.url: must be an http or https address"),
        ('path = "toy.csv"', 'path = "../toy.csv"', "must be a relative path that stays in its folder"),
        ('path = "toy.csv"', 'path = "/toy.csv"', "must be a relative path that stays in its folder"),
        ('path = "toy.csv"', 'path = "toy.csv"\nsha256 = "abc"', "files.0.sha256"),
        ("[[files]]", '[[files]]\nurl = "https://a.b/c"\npath = "toy.csv"\n[[files]]', "two files have the same path"),
        ("https://example.org/toy.csv", "http://[::1", "files.0.url: must be an http or https address"),
        ("https://example.org/toy.csv", "http://a:99999/x", "files.0.url: must be an http or https address"),
        ("https://example.org/toy.csv", "http:///x", "files.0.url: must be an http or https address"),
        ("https://example.org/toy.csv", "http://a/ü", "files.0.url: must be an http or https address"),
        ("https://example.org/toy.csv", f"http://{'a' * 70}/x", "files.0.url: must be an http or https address"),
        ('path = "toy.csv"', 'path = "C:toy.csv"', "must be a relative path that stays in its folder"),
        ('path = "toy.csv"', 'path = "./fetched.json"', "cannot be the name of a file of a data set"),
        ('path = "toy.csv"', 'path = "a\\u001bb"', "cannot be the name of a file of a data set"),
        ('path = "toy.csv"', 'path = "toy.csv"\nbytes = true', "files.0.bytes: a number is needed"),
        ("[[files]]", '[[files]]\nurl = "https://a.b/c"\npath = "toy.csv/x"\n[[files]]', "one lies in the other"),
        ('title = "Toy"', 'title = "T\\u001b[2Joy"', "title: must be text without control characters"),
        ('licence = "none"', 'licence = "n\\u202eone"', "licence: must be text without control characters"),
        ("alignrec-geo data import", "rm -rf", "must be 'alignrec-geo data import"),
        ("alignrec-geo data import", "alignrec-geo train", "must be 'alignrec-geo data import"),
        ("--out toy", "--out 'toy", "must be a command .No closing quotation"),
        ('title = "Toy"', f"title = {'[' * 5000}", "not a readable recipe in TOML"),
        ('title = "Toy"', f"title = {'9' * 5000}", "not a readable recipe in TOML"),
        ('title = "Toy"', 'title = "Toy"\n#' + "x" * (1 << 20), "bytes; the limit is 1048576"),
        ('title = "Toy"', 'title = "Toy"\nmanual = "ask"', "exactly one of 'files', 'manual' and 'generated'"),
    ],
)
def test_a_bad_recipe_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(InputError, match=message) as caught:
        read_recipe(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_missing_recipe_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        find_recipe(str(tmp_path / "recipe.toml"))


def test_ways() -> None:
    assert {name: find_recipe(name).way for name in ("ml-1m", "mmrec", "catalogue")} == {
        "ml-1m": "download",
        "mmrec": "manual",
        "catalogue": "generated",
    }
    assert isinstance(find_recipe("ml-1m"), Recipe)
