"""Answers of readers and stores that other tests do not ask for."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from torch_geometric.data import HeteroData

from alignrec_geo.dataset import Dataset
from alignrec_geo.dataset.archives import Budget, _Metered
from alignrec_geo.dataset.readers.hetero import from_hetero
from alignrec_geo.dataset.readers.items import ItemColumns, read_items
from alignrec_geo.dataset.readers.matrices import read_matrix
from alignrec_geo.errors import InputError
from tests.dataset.toys import dataset, write

FRAME = pl.DataFrame({"user": ["a", "a", "b"], "item": ["x", "y", "x"], "when": [30, 10, 20]})


@pytest.mark.parametrize(("times", "kind"), [([30, 10, 20], np.int64), ([30.5, 10.25, 20.0], np.float64)])
def test_times_are_stored_as_they_were(tmp_path: Path, times: list[float], kind: type) -> None:
    data = Dataset.from_frame(FRAME.with_columns(when=pl.Series(times)), timestamp="when").save(tmp_path / "toy")
    for read in (data, Dataset.open(tmp_path / "toy")):
        assert read.interactions.timestamp is not None
        assert read.interactions.timestamp.dtype == kind
        assert sorted(read.interactions.timestamp.tolist()) == sorted(times)


def test_a_lazy_frame_is_a_frame() -> None:
    lazy, plain = (Dataset.from_frame(frame, timestamp="when") for frame in (FRAME.lazy(), FRAME))
    assert lazy.fingerprint() == plain.fingerprint()


def test_the_encoder_of_features_lies_in_the_data_set(tmp_path: Path) -> None:
    saved = dataset().save(tmp_path / "toy")
    assert saved.encoder_folder("mine") == tmp_path / "toy" / "encoders" / "mine"


def test_a_list_of_texts_leaves_out_what_is_missing(tmp_path: Path) -> None:
    rows = [{"id": "a", "genres": ["Drama", None, "War"]}, {"id": "b", "genres": [None]}]
    items, _ = read_items(
        write(tmp_path / "i.jsonl", "\n".join(map(json.dumps, rows))), ItemColumns("id", text=["genres"])
    )
    assert items.frame["text"].to_list() == ["Drama, War", None]


@pytest.mark.parametrize(("text", "line"), [("sku,x\np,a\nq,3\n", 2), ("sku,x\np,1\nq,b\n", 3)])
def test_the_line_of_a_feature_that_is_no_number(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(InputError, match=f"line {line} holds"):
        read_matrix(write(tmp_path / "m.csv", text), ("sku",))


@pytest.mark.parametrize("split", ["validation", "test"])
def test_one_other_split_of_a_graph_is_enough_to_be_given(split: str) -> None:
    data, kind = HeteroData(), ("user", "interacts", "item")
    data["user"].num_nodes, data["item"].num_nodes = 2, 3
    data[kind].edge_index = torch.tensor([[0, 1], [0, 1]])
    data[kind][f"{split}_edge_label_index"] = torch.tensor([[0], [2]])
    read = from_hetero(data)
    assert read.split_config.rule == "given"
    assert read.counts()[split] == 1
    assert read.counts()["train"] == 2


def test_the_meter_of_an_archive_stands_at_its_beginning_and_reads_nothing(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    archive.write_bytes(b"abc")
    stream = _Metered(io.BytesIO(b"abc"), Budget(archive))
    assert stream.read(2) == b"ab"
    assert stream.seek(0) == 0
    assert stream.read(0) == b""
    assert stream.read(3) == b"abc"
    for wrong in (stream.read, lambda: stream.read(-1), lambda: stream.seek(-1), lambda: stream.seek(0, io.SEEK_END)):
        with pytest.raises(tarfile.ReadError):
            wrong()
