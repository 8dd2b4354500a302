"""What is checked when a data set is opened, and what a stranger's folder cannot do."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from alignrec_geo.dataset import Dataset, Features, SplitConfig
from alignrec_geo.dataset.images import ImageSource
from alignrec_geo.dataset.manifest import DATA_SET, data_set_to_itself
from alignrec_geo.errors import InputError
from alignrec_geo.files import sha256_of
from tests.dataset.toys import dataset, png


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "mug.png").write_bytes(png())
    made = dataset(images=ImageSource(tmp_path / "in")).with_features(features())
    made.save(tmp_path / "toy")
    shutil.rmtree(tmp_path / "in")
    return tmp_path / "toy"


def features(name: str = "image", scale: float = 1.0) -> Features:
    return Features(name, np.eye(3, dtype=np.float32) * np.float32(scale), np.ones(3, dtype=np.bool_))


def touch(folder: Path) -> None:
    """Use everything in a folder."""
    data = Dataset.open(folder)
    data.image_path(1)
    data.features("image")
    data.encoder_folder("x")


def change(folder: Path, table: str, **columns: pl.Expr) -> None:
    """Change a table, with a manifest that fits."""
    file = folder / f"{table}.parquet"
    write(folder, table, pl.read_parquet(file).with_columns(**columns))


def write(folder: Path, table: str, frame: pl.DataFrame) -> None:
    file = folder / f"{table}.parquet"
    frame.write_parquet(file)
    manifest = json.loads((folder / "dataset.json").read_text())
    manifest["files"][file.name] = sha256_of(file)
    (folder / "dataset.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("table", "columns", "said"),
    [
        ("users", {"id": pl.lit(1)}, "users.parquet: column 'id' must be text"),
        ("users", {"id": pl.lit("  ")}, "users.parquet: column 'id' has 3 blanks (first: row 0)"),
        ("users", {"id": pl.lit("ann")}, "users.parquet: column 'id' has 'ann' twice"),
        ("items", {"id": pl.lit(None, dtype=pl.String)}, "items.parquet: column 'id' has 3 nulls"),
        ("items", {"title": pl.lit(1.5)}, "items.parquet: column 'title' must be text"),
        ("items", {"image": pl.lit("../secret.png")}, "column 'image', row 0: must be a path in images/"),
        ("items", {"image": pl.lit("/etc/passwd")}, "must be a path in images/"),
        ("items", {"image": pl.lit("images/../../x")}, "must be a path in images/"),
        ("items", {"image": pl.lit("users.parquet")}, "must be a path in images/"),
        ("interactions", {"user": pl.lit(3)}, "interactions.parquet: column 'user', row 0: must lie in 0..2 (got 3)"),
        ("interactions", {"item": pl.lit(-1)}, "column 'item', row 0: must lie in 0..2 (got -1)"),
        ("interactions", {"user": pl.lit(0.0)}, "column 'user' must be integers (got Float64)"),
        ("interactions", {"split": pl.lit(4)}, "column 'split', row 0: must lie in -1..3 (got 4)"),
        ("interactions", {"split": pl.lit(None, dtype=pl.Int8)}, "column 'split' has 6 nulls"),
        ("interactions", {"user": pl.lit(0), "item": pl.lit(0)}, "interactions.parquet: a user-item pair occurs twice"),
        ("interactions", {"timestamp": pl.lit("now")}, "column 'timestamp' must be numbers (got String)"),
        ("interactions", {"rating": pl.lit(float("nan"))}, "column 'rating' has 6 nulls or NaN"),
        ("interactions", {"split": pl.lit(0)}, "counts.train is 4, the tables hold 6"),
    ],
)
def test_tables_that_do_not_hold_what_they_must(toy: Path, table: str, columns: dict[str, pl.Expr], said: str) -> None:
    change(toy, table, **columns)
    with pytest.raises(InputError) as refused:
        Dataset.open(toy)
    assert said in str(refused.value)


@pytest.mark.parametrize(("table", "column"), [("users", "id"), ("items", "text"), ("interactions", "split")])
def test_tables_without_a_column(toy: Path, table: str, column: str) -> None:
    write(toy, table, pl.read_parquet(toy / f"{table}.parquet").drop(column))
    with pytest.raises(InputError, match=rf"{table}\.parquet: has no column '{column}'"):
        Dataset.open(toy)


def test_times_keep_their_type_and_further_columns_are_no_fault(toy: Path) -> None:
    change(toy, "interactions", timestamp=pl.lit(1.5))
    change(toy, "users", age=pl.lit(30))
    times = Dataset.open(toy).interactions.timestamp
    assert times is not None
    assert times.dtype == np.float64


@pytest.mark.parametrize("file", ["../secret", "/etc/passwd", "features/../../x.safetensors", "other.txt"])
def test_a_manifest_names_files_of_the_folder_only(toy: Path, file: str) -> None:
    manifest = json.loads((toy / "dataset.json").read_text())
    (toy / "dataset.json").write_text(json.dumps({**manifest, "files": {**manifest["files"], file: "0"}}))
    with pytest.raises(InputError, match=r"dataset\.json: files: no file of a data set"):
        Dataset.open(toy)


@pytest.mark.parametrize("file", ["dataset.json", "users.parquet", "features/image.safetensors", "images/mug.png"])
def test_links_that_lead_out_are_not_followed(toy: Path, tmp_path: Path, file: str) -> None:
    shutil.move(toy / file, tmp_path / "elsewhere")
    (toy / file).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="leads out of the folder"):
        touch(toy)
    with pytest.raises(InputError, match="leads out of the folder"):
        Dataset.open(toy).save(tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("folder", ["features", "images", "encoders"])
def test_folders_that_are_links_out(toy: Path, tmp_path: Path, folder: str) -> None:
    (toy / folder).mkdir(exist_ok=True)
    shutil.move(toy / folder, tmp_path / "elsewhere")
    (toy / folder).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="leads out of the folder"):
        Dataset.open(toy).save(tmp_path / "copy")
    with pytest.raises(InputError, match="leads out of the folder"):
        touch(toy)


def test_a_file_in_images_that_no_item_names_is_not_copied(toy: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("SECRET")
    (toy / "images" / "x.jpg").symlink_to(tmp_path / "key")
    copy = Dataset.open(toy).save(tmp_path / "copy")
    assert sorted(path.name for path in (tmp_path / "copy" / "images").iterdir()) == ["mug.png"]
    assert copy.image_path(1) is not None


@pytest.mark.parametrize("file", ["dataset.json", "items.parquet", "features/image.safetensors"])
def test_pipes_are_refused_and_not_waited_for(toy: Path, file: str) -> None:
    (toy / file).unlink()
    os.mkfifo(toy / file)
    with pytest.raises(InputError, match="is a pipe, socket or device"):
        Dataset.open(toy).features("image")


@pytest.mark.parametrize("name", ["a b", "../../x", "none", "", "x" * 201, ".x"])
def test_names_that_features_and_encoders_cannot_have(toy: Path, name: str) -> None:
    with pytest.raises(InputError, match="a feature name takes"):
        Dataset.open(toy).encoder_folder(name)


@pytest.mark.parametrize("foreign", ["thesis.tex", "images/mine.png", "features/mine.safetensors", "encoders/a/x.txt"])
def test_a_data_set_with_something_of_the_users_is_not_replaced(toy: Path, foreign: str) -> None:
    (toy / foreign).parent.mkdir(parents=True, exist_ok=True)
    (toy / foreign).write_text("work")
    data = Dataset.open(toy)
    for made in (dataset(), data.with_split(SplitConfig(rule="random"))):
        with pytest.raises(InputError, match=rf"holds '{foreign}', which is no part of a data set"):
            made.save(toy, overwrite=True)
    assert (toy / foreign).read_text() == "work"


def test_a_foreign_dataset_json_makes_no_data_set(toy: Path) -> None:
    (toy / "dataset.json").write_text('{"name": "mine"}')
    with pytest.raises(InputError, match="is no data set of this program"):
        dataset().save(toy, overwrite=True)
    assert (toy / "users.parquet").exists()


def test_in_place_the_new_folder_shares_what_stays(toy: Path) -> None:
    before = os.stat(toy / "images" / "mug.png").st_ino
    data = Dataset.open(toy)
    saved = data.with_split(SplitConfig(rule="random", seed=1)).save(toy, overwrite=True)
    assert os.stat(toy / "images" / "mug.png").st_ino == before
    assert saved.feature_names == ["image"]
    assert DATA_SET.problem(toy) is None
    assert [path.name for path in toy.parent.iterdir()] == ["toy"]


def test_features_that_another_process_stored_survive_a_split_in_place(toy: Path) -> None:
    early = Dataset.open(toy)
    early.features("image")
    Dataset.open(toy).store_features(features("late"))
    Dataset.open(toy).store_features(features("image", scale=2), overwrite=True)
    saved = early.with_split(SplitConfig(rule="random", seed=1)).save(toy, overwrite=True)
    assert saved.feature_names == ["image", "late"]
    assert saved.features("image").matrix[0, 0] == 2


@pytest.mark.parametrize("moment", range(4))
def test_killed_while_features_are_stored(toy: Path, monkeypatch: pytest.MonkeyPatch, moment: int) -> None:
    """Stopped at any rename: the old matrix or the new one is there, and storing again leaves nothing behind."""
    steps = iter(range(99))
    real = os.replace

    def replace(*given: object) -> None:
        if next(steps) == moment:
            raise KeyboardInterrupt
        real(*given)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        if moment < 3:
            with pytest.raises(KeyboardInterrupt):
                Dataset.open(toy).store_features(features(scale=2), overwrite=True)
        else:
            Dataset.open(toy).store_features(features(scale=2), overwrite=True)
    value = Dataset.open(toy).features("image").matrix[0, 0]
    assert value == (1 if moment < 2 else 2)
    Dataset.open(toy).store_features(features("other"))
    assert sorted(path.name for path in (toy / "features").iterdir()) == ["image.safetensors", "other.safetensors"]
    assert not (toy / ".lock").exists()


def test_storing_the_same_again_leaves_nothing(toy: Path) -> None:
    Dataset.open(toy).store_features(features(), overwrite=True)
    assert [path.name for path in (toy / "features").iterdir()] == ["image.safetensors"]


def test_a_killed_new_matrix_does_not_take_the_name(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("alignrec_geo.dataset.store.write_json", lambda *given: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            Dataset.open(toy).store_features(features("new"))
    assert Dataset.open(toy).feature_names == ["image"]
    assert Dataset.open(toy).store_features(features("new")).feature_names == ["image", "new"]


def test_a_file_put_there_by_hand_is_not_replaced(toy: Path) -> None:
    features("mine").save(toy / "features" / "mine.safetensors")
    with pytest.raises(InputError, match=r"not listed in dataset\.json; it is not replaced"):
        Dataset.open(toy).store_features(features("mine"), overwrite=True)


def test_an_encoder_that_is_being_trained_keeps_its_data_set(toy: Path) -> None:
    from alignrec_geo.locks import LOCK, sole

    folder = Dataset.open(toy).encoder_folder("a")
    with sole(folder / LOCK, "taken"), pytest.raises(InputError, match="is being pre-trained by another process"):
        dataset().save(toy, overwrite=True)
    dataset().save(toy, overwrite=True)


def test_writers_of_one_data_set_wait_for_each_other(toy: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: Dataset.open(toy).store_features(features(f"f{n}")), range(8)))
    assert Dataset.open(toy).feature_names == sorted(["image", *(f"f{n}" for n in range(8))])
    with data_set_to_itself(toy):
        assert (toy / ".lock").exists()
    assert not (toy / ".lock").exists()
