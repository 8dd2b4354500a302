"""``data import table`` on the files that people have."""

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from alignrec_geo import Dataset
from tests.conftest import Done
from tests.dataset.toys import png, write

Verb = Callable[..., Done]


def excel(path: Path) -> Path:
    """What Excel in Germany writes."""
    lines = ["Kunde;Artikel;Menge", "Jörg;Töpfe;1,5", "Jörg;Löffel;2", "Änne;Töpfe;x", "Änne;Löffel;0,5", "Ute;Töpfe;1"]
    path.write_bytes("\r\n".join(lines).encode("cp1252"))
    return path


def test_a_file_of_excel(verb: Verb, tmp_path: Path) -> None:
    path = excel(tmp_path / "orders.csv")
    columns = ["--user", "Kunde", "--item", "Artikel", "--weight", "Menge", "--out", tmp_path / "shop"]
    verb("data", "import", "table", path, *columns).refused("line 2 is not UTF-8 text", "--encoding cp1252")
    columns += ["--encoding", "cp1252"]
    verb("data", "import", "table", path, *columns).refused(
        "line 2 holds '1,5' in column 'Menge'; a number is needed; if the comma is its decimal mark: --decimal ','"
    )
    columns += ["--decimal", ","]
    verb("data", "import", "table", path, *columns).refused(
        "line 4 holds 'x' in column 'Menge'; a number is needed; --skip-bad-rows leaves out and counts such rows"
    )
    assert not (tmp_path / "shop").exists()
    done = verb("data", "import", "table", path, *columns, "--skip-bad-rows", "--json")
    assert done.code == 0, done.err
    made = json.loads(done.out)
    assert made["name"] == "shop"
    assert made["notes"][0].endswith(
        "orders.csv: columns are separated by ';', as the first lines show; separator= overrules that"
    )
    assert "1 of 5 rows cannot be used and were left out: line 4 holds 'x'" in made["notes"][1]
    data = Dataset.open(tmp_path / "shop")
    assert data.users["id"].to_list() == ["Jörg", "Ute", "Änne"]
    assert data.interactions.weight is not None
    assert sorted(data.interactions.weight.tolist()) == [0.5, 1, 1.5, 2]


def test_notes_name_options(verb: Verb, tmp_path: Path) -> None:
    write(tmp_path / "c.csv", "user;item\nann; mug\nann;pen\nbob;pen\n")
    write(tmp_path / "i.jsonl", '{"item": "pen", "about": "<p>Ink &amp; paper</p>"}\n')
    items = ["--items", tmp_path / "i.jsonl", "--text", "about"]
    done = verb("data", "import", "table", tmp_path / "c.csv", *items, "--out", tmp_path / "d")
    assert done.code == 0, done.err
    assert "--separator overrules that" in done.err
    assert "(first: line 2, ' mug'); --strip-ids takes them off" in done.err
    assert "HTML was taken out of column 'about' (1 rows); --keep-html leaves it" in done.err
    assert Dataset.open(tmp_path / "d").items["text"].to_list() == [None, "Ink & paper"]
    kept = ["--keep-html", "--strip-ids", "--separator", ";", "--overwrite", "--out", tmp_path / "d"]
    done = verb("data", "import", "table", tmp_path / "c.csv", *items, *kept)
    assert Dataset.open(tmp_path / "d").items.select("id", "text").rows() == [
        ("mug", None),
        ("pen", "<p>Ink &amp; paper</p>"),
    ]


def test_many_files_and_image_paths(verb: Verb, tmp_path: Path) -> None:
    (tmp_path / "clicks").mkdir()
    for number, rows in enumerate([("a", "x"), ("a", "y"), ("b", "x")]):
        pl.DataFrame([rows], schema=["user", "item"], orient="row").write_parquet(
            tmp_path / "clicks" / f"{number}.parquet"
        )
    (tmp_path / "shot.png").write_bytes(png())
    write(tmp_path / "i.csv", "item,photo\nx,shot.png\ny,shot.png\n")
    options = ["--items", tmp_path / "i.csv", "--image", "photo", "--overwrite", "--json", "--out", tmp_path / "d"]
    for given in ([tmp_path / "clicks"], [tmp_path / "clicks" / "*.parquet"], sorted((tmp_path / "clicks").iterdir())):
        done = verb("data", "import", "table", *given, *options)
        assert done.code == 0, done.err
        assert json.loads(done.out)["interactions"] == 3
        assert Dataset.open(tmp_path / "d").items["image"].to_list() == ["images/x.png", "images/y.png"]
    verb("data", "import", "table", tmp_path / "clicks", "--out", tmp_path / "clicks", "--overwrite").refused("clicks")
    assert len(list((tmp_path / "clicks").iterdir())) == 3


@pytest.mark.parametrize("option", [["--encoding", "klingon"], ["--decimal", ";"], ["--weight", "nothing"]])
def test_what_there_is_not(verb: Verb, tmp_path: Path, option: list[str]) -> None:
    write(tmp_path / "c.csv", "user,item\nann,mug\n")
    verb("data", "import", "table", tmp_path / "c.csv", *option, "--out", tmp_path / "d").refused(option[1])
    assert not (tmp_path / "d").exists()


def test_a_split_in_a_folder_of_its_own_is_called_as_that(verb: Verb, tmp_path: Path) -> None:
    write(tmp_path / "c.csv", "user,item\n" + "\n".join(f"u{n % 5},i{n // 5}" for n in range(25)))
    assert verb("data", "import", "table", tmp_path / "c.csv", "--name", "mine", "--out", tmp_path / "d").code == 0
    assert verb("data", "split", tmp_path / "d", "--rule", "random", "--seed", "1").code == 0
    assert Dataset.open(tmp_path / "d").name == "mine"
    done = verb("data", "split", tmp_path / "d", "--rule", "random", "--seed", "2", "--out", tmp_path / "e", "--json")
    assert json.loads(done.out)["name"] == "e"
