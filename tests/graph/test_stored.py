"""Graphs kept in a data set folder: equal to those that are made, and never trusted."""

import os
import stat
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from alignrec_geo.dataset import Dataset, make_catalogue
from alignrec_geo.graph import stored
from alignrec_geo.graph.adjacency import bipartite_adjacency, symmetric_adjacency
from alignrec_geo.graph.hetero import GRAPH_FOLDER, to_hetero
from alignrec_geo.models import AlignRec, LightGCN

SIZES = 60, 40


@pytest.fixture
def data(tmp_path: Path, monkeypatch) -> Dataset:
    monkeypatch.setattr(stored, "STORED_FROM", 1)
    return make_catalogue(n_users=SIZES[0], n_items=SIZES[1], image_size=16).save(tmp_path / "data")


def pairs_of(data: Dataset) -> torch.Tensor:
    return to_hetero(data, [])["user", "interacts", "item"].edge_index


def graphs(data: Dataset) -> list[Path]:
    assert data.path is not None
    return sorted((data.path / "graph").glob("*"))


def numbers(graph) -> list[torch.Tensor]:
    both = graph.matrix, graph.transposed
    return [part for m in both for part in (m.crow_indices(), m.col_indices(), m.values())]


def equal(one, other) -> bool:
    return all(torch.equal(*pair) for pair in zip(numbers(one), numbers(other), strict=True))


@pytest.mark.parametrize("make", [symmetric_adjacency, bipartite_adjacency])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_kept_graph_is_the_one_that_is_made(data, make, weighted):
    pairs = pairs_of(data)
    weight = torch.rand(pairs.shape[1]) if weighted else None
    made = make(pairs, *SIZES, weight)
    first = make(pairs, *SIZES, weight, data.path)
    (file,) = graphs(data)
    changed = file.stat().st_mtime_ns
    again = make(pairs, *SIZES, weight, data.path)
    assert equal(made, first)
    assert equal(made, again)
    assert file.stat().st_mtime_ns == changed


def test_what_is_written_into_it_does_not_reach_the_file(data):
    pairs = pairs_of(data)
    symmetric_adjacency(pairs, *SIZES, folder=data.path)
    before = graphs(data)[0].read_bytes()
    symmetric_adjacency(pairs, *SIZES, folder=data.path).matrix.values().zero_()
    assert graphs(data)[0].read_bytes() == before
    assert symmetric_adjacency(pairs, *SIZES, folder=data.path).matrix.values().all()


def damage_bytes(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def point_outside(file: Path) -> None:
    """A column that no node has, under a hash that fits."""
    parts = load_file(file)
    parts["col"][0] = 1 << 30
    made = stored.Compressed(**{name: parts[name].clone() for name in ("crow", "col", "value")})
    save_file(made._asdict(), file, {"sha256": stored._digest(made)})


def jump_back(file: Path) -> None:
    parts = load_file(file)
    parts["crow"][1] = 1 << 40
    made = stored.Compressed(**{name: parts[name].clone() for name in ("crow", "col", "value")})
    save_file(made._asdict(), file, {"sha256": stored._digest(made)})


def of_another_type(file: Path) -> None:
    parts = {name: part.clone() for name, part in load_file(file).items()}
    save_file({**parts, "col": parts["col"].long()}, file)


@pytest.mark.parametrize("harm", [damage_bytes, cut, empty, point_outside, jump_back, of_another_type])
def test_a_damaged_graph_is_made_again(data, harm):
    pairs = pairs_of(data)
    made = symmetric_adjacency(pairs, *SIZES)
    symmetric_adjacency(pairs, *SIZES, folder=data.path)
    (file,) = graphs(data)
    sound = file.read_bytes()
    harm(file)
    assert equal(made, symmetric_adjacency(pairs, *SIZES, folder=data.path))
    assert file.read_bytes() == sound


def test_other_pairs_have_another_graph_and_the_oldest_goes(data):
    pairs = pairs_of(data)
    for left_out in range(5):
        kept = pairs[:, left_out:]
        assert equal(symmetric_adjacency(kept, *SIZES, folder=data.path), symmetric_adjacency(kept, *SIZES))
    assert len(graphs(data)) == stored.KEPT


def test_a_pair_given_twice_is_added_up_and_not_kept(data):
    pairs = torch.cat([pairs_of(data)] * 2, dim=1)
    assert equal(symmetric_adjacency(pairs, *SIZES, folder=data.path), symmetric_adjacency(pairs, *SIZES))
    assert graphs(data) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written_works_without(data):
    assert data.path is not None
    data.path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        made = symmetric_adjacency(pairs_of(data), *SIZES, folder=data.path)
    finally:
        data.path.chmod(0o755)
    assert equal(made, symmetric_adjacency(pairs_of(data), *SIZES))
    assert graphs(data) == []


def test_a_full_disk_or_a_read_only_one_works_without(data, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(stored, "save_file", refuse)
    made = symmetric_adjacency(pairs_of(data), *SIZES, folder=data.path)
    assert equal(made, symmetric_adjacency(pairs_of(data), *SIZES))
    assert graphs(data) == []


def test_a_link_out_of_the_folder_is_not_followed(data, tmp_path):
    assert data.path is not None
    outside = tmp_path / "outside"
    outside.mkdir()
    (data.path / "graph").symlink_to(outside)
    symmetric_adjacency(pairs_of(data), *SIZES, folder=data.path)
    assert list(outside.iterdir()) == []


def test_no_folder_but_a_data_set_gets_one(tmp_path, data):
    other = tmp_path / "thesis"
    other.mkdir()
    symmetric_adjacency(pairs_of(data), *SIZES, folder=other)
    assert list(other.iterdir()) == []


def test_models_of_a_data_set_use_it_and_the_data_set_stays_one(data, tmp_path):
    for kind in (LightGCN, AlignRec):
        anew = kind(to_hetero(data, cache=False)).user_item_graph
        model = kind.from_dataset(Dataset.open(data.path))
        assert equal(model.user_item_graph, anew)
    assert len(graphs(data)) == 1
    assert equal(model.item_to_user, bipartite_adjacency(pairs_of(data), *SIZES))
    assert Dataset.open(data.path).fingerprint() == data.fingerprint()
    data.save(data.path, overwrite=True)  # it holds nothing but a data set's parts
    assert graphs(data) == []


def test_small_graphs_are_not_kept(tmp_path):
    data = make_catalogue(n_users=60, n_items=40, image_size=16).save(tmp_path / "data")
    assert GRAPH_FOLDER not in to_hetero(data, [])
    LightGCN.from_dataset(data)
    assert graphs(data) == []
