"""The index of a run on disk: refused where it is damaged or of other tables, used where it is not."""

import json
import shutil
import sys

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.files import sha256_of
from alignrec_geo.serving import TopItems, load_top_items, save_embeddings
from alignrec_geo.serving.index import chosen, open_indexes, save_indexes
from alignrec_geo.serving.index.lists import list_bytes, read_list_of
from alignrec_geo.serving.index.store import FACTS, FOLDER, INDEX
from alignrec_geo.serving.store import write_embeddings
from alignrec_geo.training.run_folder import RUN
from tests.serving.drawn import drawn

pytest.importorskip("faiss")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "run"
    top = drawn(60, 800)
    save_embeddings(folder, top.embeddings, top.dataset)
    save_indexes(folder, top.embeddings, np.flatnonzero(top.trained_users), top.seen)
    return folder


@pytest.fixture
def run(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "run")
    return tmp_path / "run"


def test_all_that_top_items_answers(run, monkeypatch):
    """Through the index with all lists: for one, for many, by a rule, with cold items, and similar ones."""
    monkeypatch.setattr(chosen, "FEW", 50)
    exact, loaded = drawn(60, 800), load_top_items(run, index="ann")
    for part in (loaded.indexes.recommend, loaded.indexes.similar):
        part.probes = len(part.sizes)
    top = TopItems(loaded.embeddings, loaded.dataset, exact.cold_items, indexes=loaded.indexes)
    for asked in ({}, {"where": "price < 20"}, {"include_cold": True}, {"include_cold": True, "where": "price < 20"}):
        for one, other in (
            (top.recommend_all(k=9, **asked), exact.recommend_all(k=9, **asked)),
            (top.similar_all(k=9, **asked), exact.similar_all(k=9, **asked)),
        ):
            found, wanted = one.to_frame(), other.to_frame()
            assert found.drop("score").equals(wanted.drop("score"))
            assert np.allclose(found["score"], wanted["score"], atol=1e-5)
    assert [r.item for r in top.recommend("u3", 5)["u3"]] == [r.item for r in exact.recommend("u3", 5)["u3"]]
    assert [r.item for r in top.similar("i3", 5)] == [r.item for r in exact.similar("i3", 5)]


def test_the_facts(run):
    facts = open_indexes(run).facts
    assert facts.items == 800
    assert facts.recommend.recall >= 0.9
    assert set(facts.recommend.milliseconds) == {"index", "exact"}
    assert RUN.foreign(run, below=["dataset"]) is None  # so that a run with an index can still be replaced


def test_other_tables_are_refused(run):
    top = drawn(60, 800, seed=1)
    write_embeddings(run, top.embeddings)
    with pytest.raises(InputError, match=r"built from other tables .*; build it again with: alignrec-geo index"):
        load_top_items(run, index="ann")


def test_no_index_and_no_faiss(run, monkeypatch):
    with pytest.raises(InputError, match="index must be one of exact, ann"):
        load_top_items(run, index="hnsw")
    shutil.rmtree(run / FOLDER)
    with pytest.raises(InputError, match="has no index of its items; build it with: alignrec-geo index"):
        load_top_items(run, index="ann")
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(InputError, match=r"pip install 'alignrec-geo\[ann\]'"):
        load_top_items(run, index="ann")


def test_tables_of_another_shape(run):
    top = drawn(60, 801)
    with pytest.raises(InputError, match="a table of 800 items of width 8"):
        TopItems(top.embeddings, top.dataset, indexes=open_indexes(run))


@pytest.mark.parametrize("name", ["index.json", "recommend.lists", "similar.safetensors"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "gone", "folder"])
def test_damaged_files(run, name, damage):
    file = run / FOLDER / name
    content = bytearray(file.read_bytes())
    file.unlink()
    if damage == "folder":
        file.mkdir()
    elif damage != "gone":
        content[len(content) // 2] ^= 255
        file.write_bytes({"cut": content[: len(content) // 2], "flipped": content, "empty": b""}[damage])
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        open_indexes(run)


def forged(run, name, content):
    """A file that is not what was built, with the hash that belongs to it."""
    file = run / FOLDER / name
    content(file)
    facts = json.loads((run / FOLDER / FACTS).read_text())
    part, _, ending = name.partition(".")
    facts[part]["sha256"][ending] = sha256_of(file)
    (run / FOLDER / FACTS).write_text(json.dumps(facts))


def test_forged_files_make_faiss_read_nothing_else(run):
    """Row numbers and sizes that lead out of the file are found before faiss gets an address."""
    index = open_indexes(run).recommend
    first = int(index.sizes[0])

    def row(value):
        def write(file):
            content = bytearray(file.read_bytes())
            place = first * 2 * index.centres.shape[1]
            content[place : place + 8] = value.to_bytes(8, "little", signed=True)
            file.write_bytes(content)

        return write

    other = int(np.flatnonzero(index.list_of)[0])  # a row of another list than the first
    for value, said in ((10**12, "not one of 800"), (-1, "not one of 800"), (other, "two lists")):
        forged(run, "recommend.lists", row(value))
        with pytest.raises(InputError, match=said):
            open_indexes(run)

    def sizes(file):
        tensors = load_file(file)
        tensors["sizes"][:2] = [-(2**62), 2**62 + tensors["sizes"][:2].sum()]
        save_file(tensors, file)

    forged(run, "recommend.safetensors", sizes)
    with pytest.raises(InputError, match="does not hold the lists"):
        open_indexes(run)


def test_the_verb(verb, run):
    shutil.rmtree(run / FOLDER)
    asked = ("recommend", run, "--user", "u3", "-k", 5)
    verb(*asked, "--index", "ann").refused("has no index of its items")
    told = json.loads(verb("index", run, "--recall", 1.0, "--json").out)
    assert told["items"] == 800
    assert told["recommend"]["recall"] > 0.95
    said = verb("index", run)
    assert said.code == 0
    assert "looked through" in said.out
    assert "use it with --index ann" in said.err
    exact, ann = (json.loads(verb(*asked, *more, "--json").out) for more in ((), ("--index", "ann")))
    assert [one["item"] for one in ann["users"]["u3"]] == [one["item"] for one in exact["users"]["u3"]]
    assert verb("similar", run, "--item", "i3", "--index", "ann").code == 0
    verb(*asked, "--index", "hnsw").refused("index must be one of exact, ann")
    verb("index", run / "dataset").refused("not a run folder")


def test_an_index_of_nothing(tmp_path):
    empty = Embeddings(torch.empty(3, 4), torch.empty(0, 4))
    with pytest.raises(InputError, match="no items"):
        save_indexes(tmp_path, empty, np.arange(3), drawn(3, 5).seen)


def test_lists_of_another_length_are_damaged(tmp_path):
    sizes = np.array([2, 1])
    (tmp_path / "a.lists").write_bytes(bytes(list_bytes(3, 4) - 1))
    with pytest.raises(InputError, match="damaged: has 47 bytes, 48 are needed"):
        read_list_of(tmp_path / "a.lists", sizes, 4)


def test_lists_that_do_not_hold_the_items(run):
    folder = run / FOLDER
    tensors = load_file(folder / "recommend.safetensors")
    tensors["sizes"][0] += 1
    save_file(tensors, folder / "recommend.safetensors")
    facts = json.loads((folder / FACTS).read_text())
    facts["recommend"]["sha256"]["safetensors"] = sha256_of(folder / "recommend.safetensors")
    (folder / FACTS).write_text(json.dumps(facts))
    with pytest.raises(InputError, match=r"recommend\.safetensors: its lists do not hold 800 items"):
        load_top_items(run, index="ann")


def test_what_is_no_folder_of_an_index(tmp_path):
    assert INDEX.problem(tmp_path) == f"has no {FACTS}"
    (tmp_path / FACTS).write_text("[]")
    assert INDEX.problem(tmp_path) == f"holds an {FACTS} that is not of an index"


def test_an_index_that_is_worth_it_is_not_talked_down(verb, run, monkeypatch):
    def told(exact, recall):
        facts = open_indexes(run).facts
        parts = {
            "recommend": facts.recommend.model_copy(
                update={"recall": 0.99, "milliseconds": {"index": 1.0, "exact": exact}}
            ),
            "similar": facts.similar.model_copy(update={"recall": recall}),
        }
        monkeypatch.setattr("alignrec_geo.serving.index.save_indexes", lambda *given: facts.model_copy(update=parts))
        done = verb("index", run, "--recall", 0.9)
        assert done.code == 0
        return done.err

    assert "note:" not in told(exact=2.0, recall=0.95)
    said = told(exact=0.5, recall=0.5)
    assert "recall is below 0.9 on requests that did not choose the settings: 'similar' finds 0.500" in said
    assert "exact ranking is as fast here; leave out --index ann" in said
