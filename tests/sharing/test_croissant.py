"""The Croissant description, read by the reference implementation of the format."""

import hashlib
import json
from pathlib import Path

import polars as pl
import pytest

from alignrec_geo import Dataset

mlcroissant = pytest.importorskip("mlcroissant")


def described(verb, dataset, *more):
    done = verb("data", "croissant", dataset, *more, "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)["path"]


def test_it_is_valid_and_its_records_are_the_tables(verb, catalogue, tmp_path):
    folder = catalogue.save(tmp_path / "shop").path
    path = described(verb, folder, "--license", "cc-by-4.0", "--url", "https://example.org/shop")
    opened = mlcroissant.Dataset(path)
    assert not opened.metadata.issues.errors
    assert opened.metadata.license == ["cc-by-4.0"]
    pairs = pl.read_parquet(folder / "interactions.parquet")
    records = list(opened.records("interactions"))
    assert [tuple(record[f"interactions/{name}"] for name in pairs.columns) for record in records] == pairs.rows()
    titles = [record["items/title"].decode() for record in opened.records("items")]
    assert titles == catalogue.items["title"].to_list()


def test_it_has_the_hash_of_every_table_and_matrix(verb, catalogue, tmp_path):
    folder = catalogue.save(tmp_path / "shop").path
    content = json.loads(Path(described(verb, folder)).read_text())
    hashes = {file["@id"]: file["sha256"] for file in content["distribution"]}
    assert set(hashes) == {
        "dataset.json", "features/image.safetensors", "features/text.safetensors", "interactions.parquet",
        "items.parquet", "users.parquet",
    }  # fmt: skip
    for name, digest in hashes.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    saved = Dataset.open(folder).save(folder, overwrite=True)  # it is a part of the folder, and not kept when stale
    assert not (saved.path / "croissant.json").exists()


def test_beside_the_folder_it_names_the_files_from_there(verb, catalogue, tmp_path):
    folder = catalogue.save(tmp_path / "data" / "shop").path
    path = described(verb, folder, "--out", tmp_path / "about" / "shop.json")
    assert not (folder / "croissant.json").exists()
    opened = mlcroissant.Dataset(path)
    assert next(iter(opened.records("users")))["users/id"].decode() == catalogue.users["id"][0]


def test_it_replaces_no_file_of_the_data_set(verb, catalogue):
    verb("data", "croissant", catalogue.path, "--out", catalogue.path / "items.parquet").refused("name another file")
    verb("data", "croissant", catalogue.path / "none").refused("no such data set folder")


def test_people_are_told_where_it_is(verb, catalogue, tmp_path):
    folder = catalogue.save(tmp_path / "shop").path
    assert verb("data", "croissant", folder).out == f"{folder / 'croissant.json'}\n"
