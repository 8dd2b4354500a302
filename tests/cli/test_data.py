"""The verbs on data sets as people run them."""

import json
from pathlib import Path

import numpy as np
import pytest

from alignrec_geo.dataset import Dataset
from tests.conftest import Cli
from tests.dataset.toys import png, write


def clicks(tmp_path: Path) -> Path:
    rows = [f"u{u},i{(u + n) % 9},{n}" for u in range(6) for n in range(5)]
    return write(tmp_path / "clicks.csv", "\n".join(["uid,sku,time", *rows]) + "\n")


def test_import_split_and_describe_a_table(cli: Cli, tmp_path: Path) -> None:
    clicks(tmp_path)
    write(tmp_path / "skus.jsonl", "\n".join(json.dumps({"sku": f"i{n}", "a": {"b": f"Thing {n}"}}) for n in range(9)))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "i1.png").write_bytes(png())
    (tmp_path / "photos" / "i2.png").write_bytes(b"no image")
    np.save(tmp_path / "f.npy", np.arange(1, 10)[:, None])
    options = ["--user", "uid", "--item", "sku", "--timestamp", "time", "--items", "skus.jsonl", "--title", "a.b"]
    content = ["--text", "a.b", "--images", "photos", "--feature", "image=f.npy"]
    done = cli("data", "import", "table", "clicks.csv", *options, *content, "--out", "shop", "--json", check=0)
    made = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert {key: made[key] for key in ("users", "items", "interactions", "splits", "path")} == {
        "users": 6,
        "items": 9,
        "interactions": 30,
        "splits": {"train": 18, "validation": 6, "test": 6},
        "path": "shop",
    }
    assert made["notes"] == [
        "skus.jsonl: 9 of 9 items matched",
        "1 of 9 items have an image",
        "image i2.png cannot be read (not an image); item 'i2' counts as without image",
    ]
    assert made["seconds"] >= 0

    done = cli("data", "split", "shop", "--rule", "leave-last", "--out", "last", check=0)
    assert done.stdout == "last: 6 users, 9 items, 30 interactions (train 18, validation 6, test 6)\n"
    last = Dataset.open(tmp_path / "last")
    assert last.interactions.timestamp is not None
    assert set(last.interactions.timestamp[last.interactions.split == 2].tolist()) == {4}
    assert last.image_path(1) == tmp_path / "last" / "images" / "i1.png"
    assert last.features("image").matrix.ravel().tolist() == list(range(1, 10))

    found = json.loads(cli("data", "describe", "last", "--json", check=0).stdout)
    assert found["splits"] == {"train": 18, "validation": 6, "test": 6}
    assert found["modalities"]["image"] == {"items": 9, "share": 1.0, "width": 1}
    assert found["images"]["items"] == 1
    assert found["warnings"]


def test_split_in_place_and_describe_for_people(cli: Cli, tmp_path: Path) -> None:
    clicks(tmp_path)
    done = cli(
        "data",
        "import",
        "table",
        "clicks.csv",
        "--user",
        "uid",
        "--item",
        "sku",
        "--k-core",
        "2",
        "--out",
        "d",
        check=0,
    )
    assert "note: 0 rows outside the 2-core were left out" in done.stderr
    done = cli("data", "split", "d", "--rule", "cold-items", "--seed", "3", "--test", "0.3", "--json", check=0)
    assert json.loads(done.stdout)["seed"] == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clicks.csv", "d"]
    assert Dataset.open(tmp_path / "d").split_config.test == 0.3
    done = cli("data", "describe", "d", check=0)
    assert "Data set d " in done.stdout
    assert "cold-items" in done.stdout
    assert "warning: 4 of 9 items have no training pair" in done.stderr


def test_import_mmrec_and_movielens(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mm").mkdir()
    write(tmp_path / "mm" / "shop.inter", "userID\titemID\tx_label\n0\t1\t0\n1\t0\t1\n")
    made = json.loads(cli("data", "import", "mmrec", "mm", "--out", "a", "--name", "mine", "--json", check=0).stdout)
    assert (made["name"], made["items"], made["splits"]) == ("mine", 2, {"train": 1, "validation": 1, "test": 0})
    (tmp_path / "ml").mkdir()
    write(tmp_path / "ml" / "ratings.dat", "".join(f"1::{n}::{n}::97830076{n}\n" for n in range(1, 6)))
    write(tmp_path / "ml" / "movies.dat", "".join(f"{n}::Film {n}::Drama|War\n" for n in range(1, 8)))
    options = ["--min-rating", "2", "--rule", "leave-last", "--all-items"]
    done = cli("data", "import", "movielens", "ml", "--out", "b", *options, check=0)
    assert done.stdout == "b: 1 users, 7 items, 4 interactions (train 2, validation 1, test 1)\n"
    assert "note: 1 rows with a rating below 2.0 were left out" in done.stderr


@pytest.mark.parametrize(
    "words", [("import", "table"), ("import", "mmrec"), ("import", "movielens"), ("split",), ("describe",)]
)
def test_help_shows_an_example(cli: Cli, words: tuple[str, ...]) -> None:
    done = cli("data", *words, "--help", check=0)
    assert f"Example: alignrec-geo data {' '.join(words)} " in done.stdout
    assert "--json" in done.stdout
