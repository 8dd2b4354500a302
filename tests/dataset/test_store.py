import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from alignrec_geo.dataset import Dataset, Features, SplitConfig
from alignrec_geo.dataset.images import ImageSource
from alignrec_geo.dataset.manifest import DATA_SET, pending_file
from alignrec_geo.dataset.schema import stored_image_path
from alignrec_geo.errors import InputError
from tests.dataset.toys import dataset, png


def features(name: str = "image") -> Features:
    return Features(name, np.eye(3, dtype=np.float32), np.ones(3, dtype=np.bool_))


def test_folder_round_trip(tmp_path: Path) -> None:
    made = dataset().with_features(features())
    saved = made.save(tmp_path / "toy")
    read = Dataset.open(tmp_path / "toy")
    for column in ("user", "item", "split"):
        np.testing.assert_array_equal(getattr(read.interactions, column), getattr(made.interactions, column))
    assert read.users.equals(made.users)
    assert read.items.equals(made.items)
    assert read.feature_names == saved.feature_names == ["image"]
    np.testing.assert_array_equal(read.features("image").matrix, np.eye(3))
    assert read.counts() == {"users": 3, "items": 3, "interactions": 6, "train": 4, "validation": 1, "test": 1}


def test_the_same_data_gives_the_same_hashes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        dataset().with_features(features()).save(tmp_path / name)
    manifests = [json.loads((tmp_path / name / "dataset.json").read_text()) for name in ("a", "b")]
    assert manifests[0] == manifests[1]
    assert set(manifests[0]["files"]) == {
        "interactions.parquet",
        "users.parquet",
        "items.parquet",
        "features/image.safetensors",
    }


def test_images_are_stored_and_survive_a_new_split(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "mug.png").write_bytes(png())
    (tmp_path / "in" / "pen.png").write_bytes(b"broken")
    saved = dataset(images=ImageSource(tmp_path / "in")).save(tmp_path / "toy")
    assert saved.items["image"].to_list() == [None, "images/mug.png", None]
    assert any("item 'pen' counts as without image" in note for note in saved.notes)
    again = saved.with_split(SplitConfig(rule="random", seed=1)).save(tmp_path / "toy", overwrite=True)
    path = again.image_path(1)
    assert path is not None
    assert path.read_bytes() == png()
    assert again.image_path(0) is None
    assert again.split_config.rule == "random"


def test_a_folder_without_content(tmp_path: Path) -> None:
    saved = dataset().with_features(features()).save(tmp_path / "toy", content=False)
    assert saved.feature_names == []
    assert not (tmp_path / "toy" / "images").exists()


def test_external_ids_and_row_numbers() -> None:
    data = dataset()
    assert data.user_rows(["cid", "ann"]).tolist() == [2, 0]
    assert data.item_rows([]).tolist() == []
    with pytest.raises(InputError, match="unknown user 'eve' in data set 'toy'; known are for example 'ann', 'bob'"):
        data.user_rows(["ann", "eve"])


def test_unknown_or_unfitting_features(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no features 'audio'; there are: image"):
        dataset().with_features(features()).features("audio")
    with pytest.raises(InputError, match="have 2 rows, data set 'toy' has 3 items"):
        dataset().with_features(Features("x", np.ones((2, 1), dtype=np.float32), np.ones(2, dtype=np.bool_)))


@pytest.mark.parametrize("file", ["interactions.parquet", "features/image.safetensors"])
def test_changed_and_missing_files_are_noticed(tmp_path: Path, file: str) -> None:
    dataset().with_features(features()).save(tmp_path / "toy")
    path = tmp_path / "toy" / file
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(InputError, match="does not match its hash"):
        Dataset.open(tmp_path / "toy").features("image")
    path.unlink()
    with pytest.raises(InputError, match=r"the data set folder is incomplete|has no features"):
        Dataset.open(tmp_path / "toy").features("image")


def test_a_feature_file_put_there_by_hand_is_refused(tmp_path: Path) -> None:
    saved = dataset().save(tmp_path / "toy")
    features().save(tmp_path / "toy" / "features" / "image.safetensors")
    with pytest.raises(InputError, match=r"not listed in dataset\.json"):
        saved.features("image")


def test_what_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such data set folder"):
        Dataset.open(tmp_path / "none")
    with pytest.raises(InputError, match="not a data set folder"):
        Dataset.open(tmp_path)
    dataset().save(tmp_path / "toy")
    manifest = tmp_path / "toy" / "dataset.json"
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**content, "schema_version": 99}))
    with pytest.raises(InputError, match="schema version 99; this release reads version 1"):
        Dataset.open(tmp_path / "toy")
    manifest.write_text(json.dumps({**content, "colour": "red"}))
    with pytest.raises(InputError, match="colour: Extra inputs are not permitted"):
        Dataset.open(tmp_path / "toy")
    manifest.write_text("{")
    with pytest.raises(InputError, match="not valid JSON"):
        Dataset.open(tmp_path / "toy")


def test_existing_folders_are_not_overwritten_unasked(tmp_path: Path) -> None:
    dataset().save(tmp_path / "toy")
    with pytest.raises(InputError, match="already exists and is not empty"):
        dataset().save(tmp_path / "toy")
    dataset().save(tmp_path / "toy", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]


def test_frames_from_the_class(tmp_path: Path) -> None:
    data = Dataset.from_frame(pl.DataFrame({"user": [1, 1], "item": ["x", "y"]}), name="tiny")
    assert data.name == "tiny"
    assert len(data.interactions) == 2


def test_a_file_that_waits_and_is_not_what_the_manifest_names_is_dropped(tmp_path: Path) -> None:
    """Its writer was killed before the manifest named it; the next one puts things in order."""
    saved = dataset().with_features(features()).save(tmp_path / "toy")
    pending = pending_file(tmp_path / "toy", "features/image.safetensors")
    pending.write_bytes(b"half of it")
    saved.store_features(features("text"))
    assert not pending.exists()
    assert Dataset.open(tmp_path / "toy").feature_names == ["image", "text"]


def test_a_folder_with_a_damaged_table_is_still_replaced_with_its_images(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "mug.png").write_bytes(png())
    dataset(images=ImageSource(source)).save(tmp_path / "toy")
    (tmp_path / "toy" / "items.parquet").write_bytes(b"damaged")
    assert DATA_SET.problem(tmp_path / "toy") is None
    (tmp_path / "toy" / "images" / "sub").mkdir()
    (tmp_path / "toy" / "images" / "sub" / "own.txt").write_text("a user's")
    assert DATA_SET.problem(tmp_path / "toy") == "holds 'images/sub/own.txt', which is no part of a data set"
    (tmp_path / "toy" / "images" / "sub" / "own.txt").unlink()
    dataset().save(tmp_path / "toy", overwrite=True)
    assert not (tmp_path / "toy" / "images").exists()


def test_encoders_that_are_links_or_hidden_are_not_waited_for(tmp_path: Path) -> None:
    dataset().save(tmp_path / "toy")
    encoders = tmp_path / "toy" / "encoders"
    (tmp_path / "elsewhere").mkdir()
    encoders.mkdir()
    (encoders / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    with DATA_SET.guard(tmp_path / "toy"):
        pass
    assert list((tmp_path / "elsewhere").iterdir()) == []  # no lock was laid there


def test_images_that_are_gone_and_features_that_need_a_folder(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "mug.png").write_bytes(png())
    saved = dataset(images=ImageSource(source)).save(tmp_path / "toy")
    (tmp_path / "toy" / "images" / "mug.png").unlink()
    again = saved.save(tmp_path / "other")
    assert again.items["image"].drop_nulls().to_list() == ["images/mug.png"]
    assert not (tmp_path / "other" / "images" / "mug.png").exists()
    with pytest.raises(InputError, match="has no folder yet; save it first"):
        dataset().store_features(features())
    with pytest.raises(InputError, match=r"must lie in images/ \(got '\.\./x\.png'\)"):
        stored_image_path("../x.png")
