"""What actors are asked for and what they do, in this process, with a stand-in for Ray; test_actors.py has Ray."""

import logging
import os
import sys
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import torch

from alignrec_geo import actors
from alignrec_geo.actors import Pool
from alignrec_geo.content.encoders import open_image_encoder, open_text_encoder
from alignrec_geo.content.feature_sets.extract import extract_image, extract_text
from alignrec_geo.content.tokens.by_actors import images_by, texts_by
from alignrec_geo.errors import InputError
from alignrec_geo.serving import load_top_items, save_embeddings
from alignrec_geo.serving.by_actors import recommend_by
from tests.content.encoders.tiny_encoders import shop, text_folder, vision_folder
from tests.serving.drawn import drawn


class Ray(ModuleType):
    """Stands in for ``ray`` and ``ray.data``: one actor does the tasks one after the other, when they are asked for."""

    def __init__(self, cpus=4, running=False, refuses=None):
        super().__init__("ray")
        self.cpus, self.running, self.refuses = cpus, running, refuses
        self.asked, self.folders, self.ended = [], [], 0
        self.context = SimpleNamespace(execution_options=SimpleNamespace())
        self.data = ModuleType("ray.data")
        self.data.DataContext = SimpleNamespace(get_current=lambda: self.context)
        self.data.ActorPoolStrategy = lambda **given: given
        self.data.from_items = self.from_items

    def is_initialized(self):
        return self.running

    def init(self, **asked):
        os.write(2, b"the log level was set\n")
        self.asked.append(asked)
        if "_temp_dir" in asked:
            self.folders.append(Path(asked["_temp_dir"]))
            assert self.folders[-1].is_dir()
        if self.refuses is not None:
            raise self.refuses

    def shutdown(self):
        self.ended += 1

    def cluster_resources(self):
        return {"CPU": float(self.cpus)}

    def from_items(self, tasks, override_num_blocks):
        assert override_num_blocks == len(tasks)

        def map_batches(kind, fn_constructor_args, batch_size, batch_format, compute, num_cpus):
            assert (batch_size, batch_format, num_cpus) == (None, "pyarrow", 1)
            self.pool = compute

            def iter_batches(batch_size, batch_format, prefetch_batches):
                assert (batch_size, batch_format, prefetch_batches) == (None, "pyarrow", 0)
                actor = kind(*fn_constructor_args)
                for task in tasks:
                    yield actor(pa.Table.from_pylist([task]))

            return SimpleNamespace(iter_batches=iter_batches)

        return SimpleNamespace(map_batches=map_batches)


@pytest.fixture
def started(monkeypatch):
    """Put a Ray in the place of the package, and the environment back afterwards."""

    def start(**options):
        ray = Ray(**options)
        monkeypatch.setitem(sys.modules, "ray", ray)
        monkeypatch.setitem(sys.modules, "ray.data", ray.data)
        return ray

    for name in (*actors.QUIET, "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    level = logging.getLogger("ray").level
    yield start
    logging.getLogger("ray").setLevel(level)


def doubling(tasks):
    (task,) = tasks.to_pylist()
    if task["number"] == 3:
        raise InputError("task 3 cannot be done")
    return pa.table({"twice": [2 * task["number"]]})


def test_tasks_are_done_in_their_order_and_ray_is_ended(started, capfd):
    ray = started()
    assert list(Pool(actors=2).map(lambda: doubling, [])) == []
    assert ray.asked == []  # nothing is started for nothing
    done = Pool(actors=2).map(lambda: doubling, [{"number": number} for number in range(3)])
    assert [table["twice"].to_pylist() for table in done] == [[0], [2], [4]]
    assert ray.pool == {"size": 2, "max_tasks_in_flight_per_actor": 2}
    assert ray.context.execution_options.preserve_order
    assert not ray.context.enable_progress_bars
    (asked,) = ray.asked
    assert asked["num_cpus"] == 3  # one beside, whatever the machine has
    assert asked["address"] == "local"
    assert ray.ended == 1
    assert not ray.folders[0].exists()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("when", ["making", "working"])
def test_bad_input_of_an_actor_is_bad_input_here(started, when):
    ray = started()

    def make():
        if when == "making":
            raise InputError("no such run folder")
        return doubling

    words = "^no such run folder$" if when == "making" else "^task 3 cannot be done$"
    done = []
    with pytest.raises(InputError, match=words):
        done.extend(Pool(actors=1).map(make, [{"number": 1}, {"number": 3}, {"number": 4}]))
    assert len(done) == (when == "working")
    assert ray.ended == 1


def test_threads_are_those_of_this_process(started, monkeypatch):
    started()
    monkeypatch.delenv("OMP_NUM_THREADS")
    seen = []

    def make():
        seen.append(os.environ.get("OMP_NUM_THREADS"))
        return doubling

    actors._Actor(make, "4")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as Ray sets it
    actors._Actor(make, None)
    assert seen == [None, None]


def test_how_many_actors(started):
    assert Pool()._count(Ray(cpus=8)) == 7
    assert Pool(actors=3)._count(Ray(cpus=8)) == 3
    with pytest.raises(InputError, match="actors=8: Ray has 8 CPUs, and one must stay free; 7 at most"):
        Pool(actors=8)._count(Ray(cpus=8))
    with pytest.raises(InputError, match="Ray has 1 CPUs; one for an actor and one beside are the least"):
        Pool()._count(Ray(cpus=1))
    with pytest.raises(InputError, match="at least 1"):
        Pool(actors=0)


def test_a_session_that_is_there_is_used_and_left(started):
    ray = started(running=True)
    assert [table["twice"].to_pylist() for table in Pool().map(lambda: doubling, [{"number": 1}])] == [[2]]
    assert (ray.asked, ray.ended) == ([], 0)


def test_clusters_that_do_not_answer(started, monkeypatch):
    ray = started(refuses=ConnectionError("no answer"))
    with pytest.raises(InputError, match=r"address='host:1': no Ray cluster answers there \(no answer\)"):
        list(Pool(address="host:1").map(lambda: doubling, [{"number": 1}]))
    assert ray.asked[0]["address"] == "host:1"
    assert "_temp_dir" not in ray.asked[0]
    with pytest.raises(ConnectionError, match="no answer"):  # here it is a fault, and told as one
        list(Pool(actors=1).map(lambda: doubling, [{"number": 1}]))
    assert not ray.folders[0].exists()
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"engine='ray' needs Ray, .*pip install 'alignrec-geo\[ray\]'"):
        list(Pool().map(lambda: doubling, [{"number": 1}]))


def test_recommendations_by_actors_are_those_of_this_process(started, tmp_path, monkeypatch):
    started()
    monkeypatch.setattr("alignrec_geo.serving.bulk.MOST_USERS", 16)
    top, asked = drawn(), {"k": 4, "unknown": "popular"}
    save_embeddings(tmp_path / "run", top.embeddings, top.dataset)
    stream = load_top_items(tmp_path / "run").recommend_all(**asked)
    here, there = tmp_path / "here.parquet", tmp_path / "there.parquet"
    engine = recommend_by(Pool(actors=1), tmp_path / "run", {}, asked)
    assert stream.write(here) == stream.write(there, engine=engine) == 160
    assert pl.read_parquet(there).equals(pl.read_parquet(here))


def test_features_by_actors_are_those_of_this_process(started, tmp_path):
    started()
    data, cpu, one = shop(tmp_path), torch.device("cpu"), Pool(actors=1)
    data.image_path(1).write_bytes(b"no image")
    folders = str(vision_folder(tmp_path / "vit")), str(text_folder(tmp_path / "bert"))
    image, text = open_image_encoder(folders[0], cpu), open_text_encoder(folders[1], cpu)
    here, there = tmp_path / "here", tmp_path / "there"
    by_images = partial(images_by, one, folders[0], cpu, image.patch_width)
    wanted, why = extract_image(data, image, cache=here, batch_size=1)
    found, said = extract_image(data, image, cache=there, batch_size=1, engine=by_images)
    assert why == said != {}
    assert np.array_equal(found.matrix, wanted.matrix)
    by_texts = partial(texts_by, one, folders[1], cpu, text.token_width)
    wanted, found = extract_text(data, text, cache=here), extract_text(data, text, cache=there, engine=by_texts)
    assert np.array_equal(found.matrix, wanted.matrix)
    arrays = {file.relative_to(here): file.read_bytes() for file in here.rglob("*.npy")}
    assert arrays == {file.relative_to(there): file.read_bytes() for file in there.rglob("*.npy")} != {}


def test_the_verb_hands_encoders_to_actors(started, verb, tmp_path):
    started()
    folder = shop(tmp_path).path
    encoders = ("--encoder-image", vision_folder(tmp_path / "vit"), "--encoder-text", text_folder(tmp_path / "bert"))
    line = ("features", "extract", folder, *encoders)
    assert verb(*line, "--name", "here", "--cache", tmp_path / "a").code == 0
    done = verb(*line, "--name", "there", "--cache", tmp_path / "b", "--engine", "ray", "--actors", 1)
    assert done.code == 0, done.err
    said = verb("features", "describe", folder, "--features", "here-text,there-text", "--json").out
    assert '"here-text"' in said
    assert '"there-text"' in said
