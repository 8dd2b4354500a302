"""Data set folders, run folders, files of new items."""

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch

from alignrec_geo.dataset import make_catalogue
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.splits import SplitConfig
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError, TrainingDiverged
from alignrec_geo.files import read_json
from alignrec_geo.reporting.charts import Chart
from alignrec_geo.reporting.run_report import write_run_report
from alignrec_geo.serving.store import load_top_items
from alignrec_geo.training.run_config import RunConfig
from alignrec_geo.training.run_files import CONFIG
from alignrec_geo.training.run_folder import RunFolder
from tests.fuzz.inputs import Input, read_input
from tests.fuzz.target import Target, Wrong, each
from tests.fuzz.targets.tables import check


def small_catalogue() -> Dataset:
    """Images, texts, two matrices and times."""
    data = make_catalogue(n_users=20, n_items=30, image_size=8)
    return replace(data, notes=["one note"], source={"format": "catalogue"})


def dataset_seeds(folder: Path) -> list[Input]:
    """With and without content."""
    data = small_catalogue()
    data.save(folder / "whole")
    timed = replace(
        data,
        interactions=replace(
            data.interactions,
            timestamp=np.arange(len(data.interactions)),
            rating=np.ones(len(data.interactions), dtype=np.float32),
        ),
    )
    timed.save(folder / "bare", content=False)
    whole = read_input(folder / "whole")
    images = [name for name in whole if name.startswith("images/")]
    return [{name: content for name, content in whole.items() if name not in images[2:]}, read_input(folder / "bare")]


def with_hashes(files: Input, manifest: str = "dataset.json") -> Input:
    """Make the hashes of a manifest right again, so that a change is not refused for its hash alone."""
    try:
        told = json.loads(files[manifest])  # type: ignore[arg-type]
        root = manifest.removesuffix("dataset.json")
        for name in told["files"]:
            content = files.get(root + name)
            if isinstance(content, bytes):
                told["files"][name] = sha256(content).hexdigest()
        return {**files, manifest: json.dumps(told).encode()}
    except (RecursionError, ValueError, KeyError, TypeError):
        return files


def open_dataset(folder: Path, out: Path, rng: Random) -> None:
    """Open, describe, look at every matrix and image, split anew, and now and then save a copy."""
    from alignrec_geo.dataset.describe import describe

    data = Dataset.open(folder)
    check(data)
    for row in range(data.items.height):
        image = data.image_path(row)
        if image is not None and not image.resolve().is_relative_to(folder.resolve()):
            raise Wrong(f"an image outside: {image}")
    for name in data.feature_names:
        if not (folder / "features" / f"{name}.safetensors").resolve().is_relative_to(folder.resolve()):
            each(lambda name=name: _refused(lambda: data.features(name)))
    calls: list[Any] = [lambda name=name: data.features(name) for name in data.feature_names]
    calls += [data.fingerprint, lambda: describe(data)]
    calls.append(
        lambda: data.with_split(SplitConfig(rule=rng.choice(("leave-last", "random", "cold-items", "global-time"))))
    )
    if rng.random() < 0.1:
        calls.append(lambda: data.save(out / "copy"))
    each(*calls)


def _refused(call: Any) -> None:
    try:
        call()
    except InputError:
        return
    raise Wrong("what lies outside of the folder was read")


def _model(data: Dataset) -> Any:
    from alignrec_geo.models import find_model

    return find_model("vbpr").from_dataset(data, None, None, 0)


def run_seeds(folder: Path) -> list[Input]:
    """A run of three epochs with a checkpoint, and with cold items."""
    from alignrec_geo import fit
    from alignrec_geo.serving.cold import ColdItems
    from alignrec_geo.serving.cold_store import COLD, save_cold_items
    from alignrec_geo.serving.store import EMBEDDINGS
    from alignrec_geo.training import TrainingConfig

    data = small_catalogue()
    run = folder / "run"
    fit(_model(data), data, TrainingConfig(epochs=3, batch_size=32), out=run)
    width = load_top_items(run).embeddings.items.shape[1]
    save_cold_items(run / COLD, ColdItems(["x", "y"], ["New", None], torch.ones(2, width)), run / EMBEDDINGS)
    # one file of interactions serves; images are not in a run
    return [read_input(run)]


def repaired_run(files: Input) -> Input:
    """Hashes of the data set in it, and of the tables that cold items were made from."""
    return _with_tables(with_hashes(files, "dataset/dataset.json"))


def _with_tables(files: Input) -> Input:
    """Name the tables in the header of the cold items as they are now."""
    cold, tables = files.get("cold.safetensors"), files.get("embeddings.safetensors")
    if not (isinstance(cold, bytes) and isinstance(tables, bytes)):
        return files
    try:
        size = int.from_bytes(cold[:8], "little")
        header = json.loads(cold[8 : 8 + size])
        said = json.loads(header["__metadata__"]["cold"])
        if "tables" not in said:
            return files
        header["__metadata__"]["cold"] = json.dumps({**said, "tables": sha256(tables).hexdigest()})
        text = json.dumps(header).encode()
        return {**files, "cold.safetensors": len(text).to_bytes(8, "little") + text + cold[8 + size :]}
    except (RecursionError, ValueError, KeyError, TypeError, AttributeError):
        return files


def open_run(folder: Path, out: Path, rng: Random) -> None:
    """Resume, evaluate, report, recommend."""
    from alignrec_geo import fit
    from alignrec_geo.evaluation.evaluator import Evaluator
    from alignrec_geo.evaluation.protocols import Protocol

    run = RunFolder(folder)

    def resume() -> None:
        data = small_catalogue()
        settings = RunConfig.load(folder / CONFIG).training
        if settings.epochs > 10 or settings.compile or settings.device != "auto":
            raise InputError("settings that would take long here")
        try:
            fit(_model(data), data, settings, out=folder, resume=True)
        except TrainingDiverged as error:
            raise InputError(str(error)) from None

    def serve() -> None:
        cold = rng.random() < 0.5
        served = load_top_items(folder, include_cold=cold)
        check(served.dataset)
        if not (served.embeddings.users.isfinite().all() and served.embeddings.items.isfinite().all()):
            raise Wrong("tables that hold NaN or infinity")
        users = served.dataset.users["id"].head(2).to_list()
        served.recommend(users, k=3, include_cold=cold)
        Evaluator(served.dataset.interactions, Split.TEST, Protocol.CLEAN)(served.embeddings)

    def report() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Chart, "html", lambda chart: f"{chart.title} {chart.says}")  # to draw takes a second
            write_run_report(folder)

    each(serve, resume, run.read_best, run.read_result, report)


NEW_ITEMS = (
    {"id": "SKU-9", "title": "Red mug", "text": "Stoneware.", "image": "sku-9.jpg"},
    {"id": "SKU-10", "features": {"image": [0.5] * 4}},
    {"id": "SKU-11"},
)


def new_item_seeds(_: Path) -> list[Input]:
    """What ``embed --items`` takes."""
    return [{"new.jsonl": "".join(json.dumps(item) + "\n" for item in NEW_ITEMS).encode()}]


_CATALOGUE: list[Dataset] = []


def read_items_to_embed(folder: Path, out: Path, rng: Random) -> None:
    """``embed --items``."""
    from alignrec_geo.content.item_encoding.new_items import read_new_items

    if not _CATALOGUE:
        _CATALOGUE.append(small_catalogue())
    for item in read_new_items(folder / "new.jsonl", _CATALOGUE[0], {"image": 4}):
        if item.image is not None and not item.image.resolve().is_relative_to(folder.resolve()):
            raise Wrong(f"an image outside: {item.image}")


def probe_seeds(_: Path) -> list[Input]:
    """What ``probe --out`` writes, for ``features export --probe``."""
    row = {"content": "text", "centred": True, "zero_shot": {"recall@20": 0.0684}, "item_cf": None, "agreement": 0.25}
    told = {"dataset": "shop", "split": "test", "protocol": "mmrec", "items": 1234, "rows": [row]}
    return [{"probe.json": json.dumps(told).encode()}]


def export_with_probe(folder: Path, out: Path, rng: Random) -> None:
    """``features export --probe``."""
    from alignrec_geo.cli.features import _probe_result
    from alignrec_geo.content.feature_sets.export import export_mmrec

    if not _CATALOGUE:
        _CATALOGUE.append(small_catalogue())
    file = folder / "probe.json"
    export_mmrec(_CATALOGUE[0], {"image": "image"}, out / "export", False, _probe_result(read_json(file), file))


def table_seeds(_: Path) -> list[Input]:
    """Two tables as a run stores them."""
    from safetensors.torch import save

    return [{"embeddings.safetensors": save({**Embeddings(torch.ones(3, 2), torch.ones(4, 2))._asdict()})}]


def read_tables(folder: Path, out: Path, rng: Random) -> None:
    """The tables alone, fast."""
    from alignrec_geo.serving.store import read_embeddings

    tables = read_embeddings(folder)
    for table in tables:
        if table.dim() != 2 or not table.is_floating_point() or not table.isfinite().all():
            raise Wrong(f"a table of shape {tuple(table.shape)} and type {table.dtype}, or with NaN")
    if tables.users.shape[1] != tables.items.shape[1]:
        raise Wrong("tables of different widths")


TARGETS = (
    Target("dataset", 2_000, dataset_seeds, open_dataset, with_hashes),
    Target("run", 300, run_seeds, open_run, repaired_run, quick=False),
    Target("embeddings", 6_000, table_seeds, read_tables, quick=False),
    Target("new-items", 10_000, new_item_seeds, read_items_to_embed, quick=False),
    Target("probe", 1_500, probe_seeds, export_with_probe, quick=False),
)
