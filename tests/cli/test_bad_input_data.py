"""Bad input of the verbs on data sets: one clear error, exit code 2, nothing written."""

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.conftest import Cli, in_this_process
from tests.dataset.toys import dataset, png, write

Refused = Callable[..., str]
CLICKS = "user,item,part\na,1,train\na,0,valid\nb,0,test\nb,1,train\n"


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Refused:
    """Run a verb in this process; it must leave the folder as it was, and its one error line is returned."""
    monkeypatch.chdir(tmp_path)

    def run(*args: str) -> str:
        before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
        printed = in_this_process(*args)
        assert printed.code == 2
        assert printed.out == ""
        assert printed.err.count("\n") == 1
        assert printed.err.startswith("error: ")
        assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*")) == before
        return printed.err

    return run


@pytest.fixture
def table(tmp_path: Path, refused: Refused) -> Refused:
    write(tmp_path / "clicks.csv", CLICKS)
    return lambda *options: refused("data", "import", "table", "clicks.csv", "--out", "made", *options)


def test_missing_file_and_missing_column(refused: Refused, table: Refused) -> None:
    assert "none.csv: no such file" in refused("data", "import", "table", "none.csv", "--out", "made")
    assert "clicks.csv: no column 'uid'; there are: 'user', 'item', 'part'" in table("--user", "uid")


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.ones((1, 3)), "f.npy has 1 rows, 2 are needed"),
        (np.array([[1.0], [np.nan]]), "f.npy: row 1 (counted from 0) holds NaN"),
        (np.array([["red"], ["blue"]]), "f.npy: holds text; a feature matrix holds numbers"),
        (np.array([[{}], [{}]], dtype=object), "f.npy: holds Python objects; only plain numbers are read"),
    ],
)
def test_feature_files_that_do_not_fit(table: Refused, tmp_path: Path, matrix: object, message: str) -> None:
    np.save(tmp_path / "f.npy", matrix)  # type: ignore[arg-type]
    assert message in table("--feature", "image=f.npy")


def test_features_of_items_nobody_knows(table: Refused, tmp_path: Path) -> None:
    write(tmp_path / "f.csv", "item,x\n7,2\n")
    assert "no row of f.csv belongs to an item of the data set; its ids are for example '7'" in table(
        "--feature", "image=f.csv"
    )
    assert "--feature takes NAME=FILE (got 'image')" in table("--feature", "image")


def test_split_columns(table: Refused, refused: Refused, tmp_path: Path) -> None:
    write(tmp_path / "odd.csv", CLICKS.replace("valid", "holdout"))
    error = refused("data", "import", "table", "odd.csv", "--split", "part", "--out", "made")
    assert "line 3 holds 'holdout' in split column" in error
    write(tmp_path / "none.csv", CLICKS.replace("train", "test"))
    error = refused("data", "import", "table", "none.csv", "--split", "part", "--out", "made")
    assert "empty training split" in error
    assert "contradict each other" in table("--split", "part", "--rule", "random")


def test_truncated_files(refused: Refused, table: Refused, tmp_path: Path) -> None:
    packed = gzip.compress((CLICKS * 99).encode())
    (tmp_path / "cut.csv.gz").write_bytes(packed[:-9])
    assert "not a readable gzip file, or damaged" in refused("data", "import", "table", "cut.csv.gz", "--out", "made")
    pl.read_csv(io.StringIO(CLICKS)).write_parquet(tmp_path / "cut.parquet")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "cut.parquet").read_bytes()[:-9])
    assert "not a readable parquet file, or damaged" in refused(
        "data", "import", "table", "cut.parquet", "--out", "made"
    )
    (tmp_path / "cut.safetensors").write_bytes(b"\x40\0\0\0\0\0\0\0{}")
    assert "not a readable safetensors file" in table("--feature", "image=cut.safetensors")


def tar(path: Path, *names: str) -> None:
    with tarfile.open(path, "w") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(png())
            archive.addfile(member, io.BytesIO(png()))


def test_truncated_and_hostile_tars(table: Refused, tmp_path: Path) -> None:
    tar(tmp_path / "photos.tar", "0.png", "1.png")
    whole = (tmp_path / "photos.tar").read_bytes()
    for keep in (700, 1024, 1200):
        (tmp_path / "photos.tar").write_bytes(whole[:keep])
        assert "photos.tar: not a readable zip or tar file, or damaged" in table("--images", "photos.tar")
    tar(tmp_path / "photos.tar", "0.png", "../1.png")
    assert "member '../1.png' points outside the archive; refused" in table("--images", "photos.tar")


def test_a_image_that_is_none_is_a_warning(cli: Cli, tmp_path: Path) -> None:
    write(tmp_path / "clicks.csv", CLICKS)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "0.png").write_bytes(png())
    (tmp_path / "photos" / "1.jpg").write_bytes(b"<html>")
    done = cli("data", "import", "table", "clicks.csv", "--images", "photos", "--out", "made", check=0)
    assert "image 1.jpg cannot be read (not an image); item '1' counts as without image" in done.stderr
    found = json.loads(cli("data", "describe", "made", "--json", check=0).stdout)
    assert found["images"]["items"] == 1


def test_a_folder_that_is_there_stays(table: Refused, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    write(tmp_path / "made" / "mine.txt", "mine")
    assert "made already exists and is not empty" in table()


def test_data_sets_that_cannot_be_opened_or_split(refused: Refused, tmp_path: Path) -> None:
    assert "no such data set folder" in refused("data", "describe", "none")
    dataset().save(tmp_path / "toy")
    assert "split rule 'leave-last' needs timestamps" in refused("data", "split", "toy", "--rule", "leave-last")
    error = refused("data", "split", "toy", "--rule", "cold-items", "--test", "0.6", "--validation", "0.5")
    assert "validation + test must be below 1" in error
    error = refused("data", "split", "toy", "--rule", "cold-items", "--test", "0.98", "--validation", "0.01")
    assert "leaves data set 'toy' with an empty training split" in error
    path = tmp_path / "toy" / "items.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    assert "does not match its hash" in refused("data", "describe", "toy")


def test_errors_of_a_real_process_have_no_traceback(process: Cli, tmp_path: Path) -> None:
    done = process("data", "import", "mmrec", "none", "--out", "made", "--json", check=2)
    assert done.stdout == ""
    assert done.stderr == "error: none: no such folder\n"
    done = process("data", "import", "table", "--out", "made", check=2)
    assert "Traceback" not in done.stderr
    assert "FILE" in done.stderr
    assert list(tmp_path.iterdir()) == []
