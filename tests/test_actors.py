"""Work done by Ray actors is the work of this process: same rows, also when an actor ends or the program is killed.

Slow: Ray takes some seconds to start, and so does every actor.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from alignrec_geo.actors import Pool
from alignrec_geo.content.encoders import open_image_encoder, open_text_encoder
from alignrec_geo.content.feature_sets.extract import extract_image, extract_text
from alignrec_geo.content.tokens.by_actors import images_by, texts_by
from alignrec_geo.dataset import Dataset, make_catalogue
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.serving import load_top_items, save_embeddings
from alignrec_geo.serving.by_actors import recommend_by
from tests.content.colours import coloured_encoders, coloured_things

pytest.importorskip("ray.data", reason="alignrec-geo[ray] is not installed")
pytestmark = pytest.mark.slow

ONE = Pool(actors=1)


@pytest.fixture(scope="module", autouse=True)
def _one_session() -> Iterator[None]:
    """Ray is started once for all tests of this file, which can import this module in its actors."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[1]))
        with ONE._session():
            yield


def _doubling(marker: Path) -> Callable[[Any], Any]:
    def work(tasks: Any) -> Any:
        import pyarrow as pa

        (task,) = tasks.to_pylist()
        if task["number"] == 2 and marker.suffix == ".once" and not marker.exists():
            marker.touch()
            os._exit(1)
        if task["number"] == 2 and marker.suffix == ".bad":
            raise InputError("task 2 cannot be done")
        return pa.table({"twice": [2 * task["number"]]})

    return work


def test_tasks_are_done_in_order_and_again_where_an_actor_ended(tmp_path: Path) -> None:
    tasks = [{"number": number} for number in range(6)]
    done = ONE.map(partial(_doubling, tmp_path / "marker.once"), tasks)
    assert [table["twice"].to_pylist() for table in done] == [[2 * number] for number in range(6)]
    assert (tmp_path / "marker.once").exists()
    with pytest.raises(InputError, match=r"^task 2 cannot be done$"):
        list(ONE.map(partial(_doubling, tmp_path / "marker.bad"), tasks))
    assert list(ONE.map(partial(_doubling, tmp_path), [])) == []


def test_one_cpu_stays_free() -> None:
    with pytest.raises(InputError, match=r"actors=2: Ray has 2 CPUs, and one must stay free; 1 at most"):
        list(Pool(actors=2).map(partial(_doubling, Path("x")), [{"number": 1}]))
    with pytest.raises(InputError, match="at least 1"):
        Pool(actors=0)


def run_folder(folder: Path, users: int = 900, items: int = 120) -> Path:
    """Tables that nobody trained, of a catalogue."""
    draw = torch.Generator().manual_seed(0)
    tables = Embeddings(torch.randn(users, 16, generator=draw), torch.randn(items, 16, generator=draw))
    save_embeddings(folder, tables, make_catalogue(n_users=users, n_items=items, image_size=16))
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_folder(tmp_path_factory.mktemp("runs") / "shop")


def test_recommendations_are_those_of_this_process(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alignrec_geo.serving.bulk.MOST_USERS", 200)
    asked: dict[str, Any] = {"k": 7, "without_items": pl.Series(["item-0001"]), "unknown": "popular"}
    stream = load_top_items(run).recommend_all(**asked)
    here, there = tmp_path / "here.parquet", tmp_path / "there.parquet"
    assert stream.write(here) == stream.write(there, engine=recommend_by(ONE, run, {}, asked)) > 6000
    assert pl.read_parquet(there).equals(pl.read_parquet(here))
    assert pl.read_parquet(there).schema == pl.read_parquet(here).schema
    lists = tmp_path / "lists.parquet"
    stream.write(lists, lists=True, resume=True, engine=recommend_by(ONE, run, {}, asked))
    stream.write(here, overwrite=True, lists=True)
    assert pl.read_parquet(lists).equals(pl.read_parquet(here))
    assert pl.read_parquet_schema(lists)["item"] == pl.List(pl.String)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here.parquet", "lists.parquet", "there.parquet"]


def test_features_are_those_of_this_process(tmp_path: Path) -> None:
    coloured_things(tmp_path, items=40)
    sources = coloured_encoders(tmp_path)
    data = Dataset.open(tmp_path / "colours")
    broken = data.image_path(3)
    assert broken is not None
    broken.write_bytes(b"no image")
    cpu = torch.device("cpu")
    image, text = open_image_encoder(sources[0], cpu), open_text_encoder(sources[1], cpu)
    by_images = partial(images_by, ONE, sources[0], cpu, image.patch_width)
    by_texts = partial(texts_by, ONE, sources[1], cpu, text.token_width)
    here, there = tmp_path / "here", tmp_path / "there"
    wanted, why = extract_image(data, image, cache=here, batch_size=16)
    found, said = extract_image(data, image, cache=there, batch_size=16, engine=by_images)
    assert list(why) == list(said) == [data.items["id"][3]]
    assert np.array_equal(found.matrix, wanted.matrix)
    assert np.array_equal(found.present, wanted.present)
    wanted, found = extract_text(data, text, cache=here), extract_text(data, text, cache=there, engine=by_texts)
    assert np.array_equal(found.matrix, wanted.matrix)
    arrays = {file.relative_to(here): file.read_bytes() for file in here.rglob("*.npy")}
    assert len(arrays) == 5
    assert arrays == {file.relative_to(there): file.read_bytes() for file in there.rglob("*.npy")}


def test_the_verbs_say_nothing_of_ray(run: Path, process: Any, tmp_path: Path) -> None:
    out = tmp_path / "recs.parquet"
    line = ("recommend", run, "--all-users", "-k", 3)
    done = process(*line, "--engine", "ray", "--actors", 1, "--out", out, check=0)
    assert [part.partition(":")[0] for part in done.stderr.splitlines() if not part.endswith(" s")] in ([], ["users"])
    process(*line, "--out", tmp_path / "here.parquet", check=0)
    assert pl.read_parquet(out).equals(pl.read_parquet(tmp_path / "here.parquet"))


KILLED = """
import sys
from pathlib import Path
from alignrec_geo.serving import bulk, load_top_items
bulk.MOST_USERS = 20
stream = load_top_items(sys.argv[1]).recommend_all(k=5)
def engine(ranges):
    import time
    for first, last in ranges:
        time.sleep(0.05)
        yield stream.answer(first, last)
print(stream.write(sys.argv[2], resume=True, engine=engine))
"""


def test_killed_output_goes_on(run: Path, tmp_path: Path) -> None:
    out, parts = tmp_path / "recs.parquet", tmp_path / "recs.parquet.parts"
    seen = [0]
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", KILLED, str(run), str(out)]) as process:
            until = time.monotonic() + 60
            while len(list(parts.glob("*.parquet"))) <= seen[-1] + 3 and time.monotonic() < until:
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
        seen.append(len(list(parts.glob("*.parquet"))))
        assert not out.exists()
    assert 0 < seen[1] < seen[2] < seen[3] < 45
    subprocess.run([sys.executable, "-c", KILLED, str(run), str(out)], check=True)
    assert pl.read_parquet(out).equals(load_top_items(run).recommend_all(k=5).to_frame())
    assert [path.name for path in tmp_path.iterdir()] == ["recs.parquet"]


@pytest.mark.realdata
def test_all_users_of_ml_1m(shared_data: Path, tmp_path: Path) -> None:
    file = shared_data / "ml-1m" / "ml-1m.inter.gz"
    if not file.is_file():
        pytest.skip(f"no {file}")
    frame = pl.read_csv(file.read_bytes(), separator="\t").select("userID", "movieID")
    data = Dataset.from_frame(frame, user="userID", item="movieID")
    draw, pairs = torch.Generator().manual_seed(0), data.interactions
    sizes = (pairs.n_users, pairs.n_items)
    save_embeddings(tmp_path / "run", Embeddings(*(torch.randn(size, 64, generator=draw) for size in sizes)), data)
    stream = load_top_items(tmp_path / "run").recommend_all(k=20)
    stream.write(tmp_path / "a.parquet")
    stream.write(tmp_path / "b.parquet", engine=recommend_by(ONE, tmp_path / "run", {}, {"k": 20}))
    found = pl.read_parquet(tmp_path / "b.parquet")
    assert found.height > 100_000
    assert found.equals(pl.read_parquet(tmp_path / "a.parquet"))
