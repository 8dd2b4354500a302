"""The files of a run, with or without its users."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml

from alignrec_geo.dataset.interactions import Interactions
from alignrec_geo.dataset.manifest import MANIFEST
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.files import write_json
from alignrec_geo.locks import LOCK, in_use
from alignrec_geo.records import RunResult, read_record
from alignrec_geo.serving.cold_store import COLD, load_cold_items, save_cold_items
from alignrec_geo.serving.folding_store import EMBEDDINGS, FOLDING, load_folding, save_folding
from alignrec_geo.serving.store import DATASET, read_embeddings, write_embeddings
from alignrec_geo.settings import read_yaml
from alignrec_geo.sharing.collected import Collected, files_of
from alignrec_geo.sharing.kinds import RUN as RUN_KIND
from alignrec_geo.sharing.kinds import is_allowed
from alignrec_geo.training.run_files import CONFIG, RESULT
from alignrec_geo.training.run_folder import RUN

LAST = "checkpoint/last.safetensors"


def run_files(folder: Path, staging: Path, without_users: bool, slim: bool) -> Collected:
    """Settings, logs, checkpoints, tables and results of a finished run.

    Its ``config.yaml`` is sent without the paths of this machine, ``result.json`` without the command line, which may
    hold others; ``report.html``, TensorBoard's files and logs stay (``pull`` makes the report anew).

    Raises:
        InputError: it is no run, a damaged one, one that is being trained, or one that has not ended.
    """
    problem = RUN.problem(folder)
    if problem is not None:
        raise InputError(f"{folder}: no run folder, it {problem}")
    if in_use(folder / LOCK):
        raise InputError(f"{folder}: another process is training this run; wait until it has ended")
    if not (folder / RESULT).is_file():
        raise InputError(f"{folder}: training has not ended; finish it, then share it")
    data = Dataset.open(folder / DATASET)
    read_embeddings(folder)  # a damaged one is not sent
    paths = [file.relative_to(folder).as_posix() for file in sorted(folder.rglob("*")) if file.is_file()]
    files = files_of(folder, [path for path in paths if is_allowed(RUN_KIND, path) and not (slim and path == LAST)])
    files[CONFIG] = staging / CONFIG
    files[CONFIG].write_text(yaml.safe_dump(_without_paths(folder / CONFIG), sort_keys=False), encoding="utf-8")
    told = read_record(folder / RESULT, RunResult)
    if told.get("command"):  # it names paths too
        files[RESULT] = staging / RESULT
        write_json(files[RESULT], {**told, "command": None})
    name = folder.resolve().name
    if not without_users:
        counts = data.counts()
        return Collected(name, files, counts["users"], counts["interactions"])
    kept = (CONFIG, RESULT, "metrics.jsonl", "cost.json")
    return Collected(name, {path: files[path] for path in kept if path in files} | _items_alone(folder, data, staging))


def _without_paths(config: Path) -> dict[str, object]:
    values = read_yaml(config)
    return {**values, **{key: None for key in ("dataset", "warm_start") if key in values}}


def _items_alone(folder: Path, data: Dataset, staging: Path) -> dict[str, Path]:
    """Tables and data set without users; the fold-in rule and the cold items name the new tables."""
    made = staging / "items"
    made.mkdir()
    nobody = np.zeros(0, dtype=np.int64)
    pairs = Interactions(nobody, nobody, np.zeros(0, dtype=np.int8), 0, data.interactions.n_items)
    replace(data, interactions=pairs, users=data.users.select("id").head(0), path=None).save(
        made / DATASET, content=False
    )
    tables = read_embeddings(folder)
    write_embeddings(made, Embeddings(tables.users[:0], tables.items))
    folding = load_folding(folder / FOLDING, folder / EMBEDDINGS)
    if folding is not None:
        save_folding(made / FOLDING, folding, made / EMBEDDINGS)
    if (folder / COLD).is_file():
        save_cold_items(made / COLD, load_cold_items(folder / COLD, folder / EMBEDDINGS), made / EMBEDDINGS)
    tables_of = [f"{DATASET}/{name}" for name in (MANIFEST, "interactions.parquet", "users.parquet", "items.parquet")]
    return files_of(made, [EMBEDDINGS, FOLDING, COLD, *tables_of])
