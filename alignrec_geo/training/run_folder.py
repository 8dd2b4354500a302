"""What a run leaves on disk, written so that a killed run leaves its last good state."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
from torch import Tensor

from alignrec_geo.dataset.manifest import DATA_SET
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.distributed.files import read_own, write_tensors
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.files import atomic_path, inside, write_json
from alignrec_geo.folders import FolderKind, NewFolder, check_links, folder_target, is_vacant, new_folder
from alignrec_geo.locks import LOCK, Lock, in_use, sole
from alignrec_geo.reading import reading
from alignrec_geo.records import RunResult, read_record
from alignrec_geo.serving.cold_store import COLD
from alignrec_geo.serving.folding import Folding
from alignrec_geo.serving.folding_store import FOLDING, save_folding
from alignrec_geo.serving.index.store import IN_RUN
from alignrec_geo.serving.store import DATASET, EMBEDDINGS, write_embeddings
from alignrec_geo.settings import read_yaml
from alignrec_geo.staging import recover, sweep_inside
from alignrec_geo.training.run_config import RunConfig
from alignrec_geo.training.run_files import CONFIG, METRICS_FILE, PER_USER, RESULT, TRACKING


class RunFolder:
    """The files of a run.

    - ``config.yaml``: the resolved settings
    - ``metrics.jsonl``: one line per epoch
    - ``checkpoint/last.safetensors``, ``checkpoint/best.safetensors``: to continue from, and the chosen epoch
    - ``embeddings.safetensors``, ``folding.safetensors``, ``dataset/``: what serving needs
    - ``result.json``, ``per_user.parquet``: test metrics, once training has ended

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._new: tuple[NewFolder, Lock, Path] | None = None

    @property
    def last(self) -> Path:
        """The checkpoint to continue from."""
        return self.path / "checkpoint" / "last.safetensors"

    @property
    def best(self) -> Path:
        """The trained parameters of the epoch that validation chose."""
        return self.path / "checkpoint" / "best.safetensors"

    @property
    def is_slim(self) -> bool:
        """Whether the run ended and what is needed to continue it was dropped (:meth:`make_slim`)."""
        ended = self.best.exists() and self.result.exists() and not self.last.exists()
        return ended and self.read_result()["epochs"] > 0  # what has nothing to train has no optimiser either

    def make_slim(self) -> int:
        """Drop what only continuing the run needs, the optimiser's state; returns the bytes that were freed.

        Raises:
            InputError: no run, one that has not ended, or one that another process trains.
        """
        problem = RUN.problem(self.path) if self.path.is_dir() else "does not exist"
        if problem is not None:
            raise InputError(f"{self.path}: no run folder, it {problem}")
        if not self.result.exists():
            raise InputError(f"{self.path}: training has not ended; finish it with resume=True first")
        with sole(self.path / LOCK, self._busy):
            return self.drop_state()

    def drop_state(self) -> int:
        """The same while this process trains the run."""
        freed = self.last.stat().st_size if self.last.exists() else 0
        self.last.unlink(missing_ok=True)
        return freed

    @property
    def result(self) -> Path:
        """The test metrics; there once training has ended."""
        return self.path / RESULT

    def refuse_existing(self, resume: bool = False, overwrite: bool = False, dataset: Path | None = None) -> None:
        """Refuse a path that cannot become a run folder.

        A run in which no epoch was finished yet holds nothing to lose: it may be started again.

        Args:
            resume: a run may be there already, to be continued.
            overwrite: a run may be there already, to be replaced.
            dataset: folder of the data set that is trained on, which must not be replaced.

        Raises:
            InputError: the path is a file or lies under one, a folder of something else, a run that another process
                trains, or holds a run that is neither to be continued nor replaced.
        """
        recover(self.path)
        if not self.path.is_dir() or is_vacant(self.path):
            folder_target(self.path, RUN, overwrite, [dataset])
            return
        if not self._is_run():
            raise InputError(
                f"{self.path} is a folder with other content ({RUN.problem(self.path) or 'no run'}); name a new folder "
                "for the run"
            )
        if in_use(self.path / LOCK):
            raise InputError(self._busy)
        if resume:
            check_links(self.path)
            if self.is_slim:
                raise InputError(
                    f"{self.path} was kept without the optimiser's state (slim), so it cannot be continued; 'update' "
                    "goes on from its parameters, overwrite=True trains it anew"
                )
        elif overwrite or not self._has_begun():
            folder_target(self.path, RUN, True, [dataset])
        else:
            raise InputError(
                f"{self.path} holds a run already; pass resume=True to continue it or overwrite=True to replace it"
            )

    @contextmanager
    def writing(
        self, dataset: Dataset, config: RunConfig, resume: bool = False, overwrite: bool = False
    ) -> Iterator[None]:
        """Keep other processes out while a run is trained.

        A new run is made beside its place until :meth:`settle`, so a run that is replaced stays as it is until the new
        one has finished an epoch.

        Raises:
            InputError: see :meth:`refuse_existing`; or the run was started on other interactions.
        """
        self.refuse_existing(resume, overwrite, dataset.path)
        if resume and self._is_run():
            with sole(self.path / LOCK, self._busy):
                sweep_inside(self.path)
                self._continue(dataset)
                config.save(self.path / CONFIG)  # it may go on for longer than it was started for
                yield
            return
        with (
            new_folder(self.path, RUN, True, [dataset.path]) as made,
            sole(made.path / LOCK, self._busy) as lock,
        ):
            dataset.save(made.path / DATASET, content=False)
            config.save(made.path / CONFIG)
            home, self.path = self.path, made.path
            self._new = made, lock, home
            try:
                yield
            finally:
                self._new, self.path = None, home

    def settle(self) -> None:
        """Move a new run to its place, replacing the one that is there."""
        if self._new is not None:
            made, lock, path = self._new
            lock.path = made.settle() / LOCK
            self._new, self.path = None, path

    @property
    def _busy(self) -> str:
        return f"{self.path}: another process is training this run; wait until it has ended"

    def _is_run(self) -> bool:
        return _config_problem(self.path) is None

    def _has_begun(self) -> bool:
        """Whether the run has anything but its settings and a copy of the data."""
        log = self.path / METRICS_FILE
        trained = any(path.exists() for path in (self.last, self.best, self.result, self.path / EMBEDDINGS))
        return trained or (log.exists() and log.stat().st_size > 0)

    def _continue(self, dataset: Dataset) -> None:
        if not (self.path / DATASET).exists():
            dataset.save(self.path / DATASET, content=False)
        elif Dataset.open(self.path / DATASET).fingerprint() != dataset.fingerprint():
            raise InputError(f"{self.path} was trained on other interactions than data set '{dataset.name}' holds now")

    def reopen(self) -> None:
        """Take away what says that training has ended: it goes on."""
        for name in (RESULT, PER_USER, FOLDING):
            (self.path / name).unlink(missing_ok=True)

    def keep_epochs(self, count: int) -> None:
        """Drop the lines of ``metrics.jsonl`` after the first ``count`` epochs (those of a killed session)."""
        path = self.path / METRICS_FILE
        with reading(path, "log of epochs"):
            stored = path.read_bytes().splitlines() if path.exists() else []
            lines = [line.decode() for line in stored[:count]]  # what a kill cut off lies behind these
        if len(lines) < count:
            raise InputError(f"{path}: {len(lines)} epochs, the checkpoint has {count}")
        with atomic_path(path) as staging:
            staging.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def log(self, record: Mapping[str, Any]) -> None:
        """Append one epoch to ``metrics.jsonl``."""
        with (self.path / METRICS_FILE).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record, allow_nan=False) + "\n")

    def write_best(
        self, parameters: Mapping[str, Tensor], embeddings: Embeddings, widths: Mapping[str, int] | None = None
    ) -> None:
        """Write the parameters and tables of the best epoch so far; ``widths`` are those of what lies apart."""
        write_tensors(self.best, parameters, widths or {})
        write_embeddings(self.path, embeddings)

    def write_folding(self, folding: Folding | None) -> None:
        """Write the rule by which users are folded in, where it is one table."""
        if folding is not None:
            save_folding(self.path / FOLDING, folding, self.path / EMBEDDINGS)

    def read_best(self, widths: Mapping[str, int] | None = None) -> dict[str, Tensor]:
        """Read the parameters of the best epoch so far; ``widths`` are those of what lies apart."""
        return read_own(self.best, widths or {})[0]

    def write_result(self, result: Mapping[str, Any], per_user: pl.DataFrame | None) -> None:
        """Write ``result.json`` and ``per_user.parquet``; a run without epochs settles here."""
        if per_user is not None:
            with atomic_path(self.path / PER_USER) as staging:
                per_user.write_parquet(staging)
        write_json(self.result, dict(result))
        self.settle()

    def read_result(self) -> dict[str, Any]:
        """Read ``result.json``."""
        return read_record(self.result, RunResult)


def _config_problem(folder: Path) -> str | None:
    """What keeps ``config.yaml`` of a folder from being that of a run."""
    try:
        if not inside(folder, CONFIG).is_file():
            return f"has no {CONFIG}"
        keys = set(read_yaml(folder / CONFIG))
    except InputError as error:
        return str(error)
    ours = _EVERY_RUN <= keys <= set(RunConfig.model_fields)
    return None if ours else f"holds a {CONFIG} that is not of a run"


def _problem(folder: Path) -> str | None:
    """What keeps a folder from being a run and nothing else."""
    problem = _config_problem(folder) or RUN.foreign(folder, below=[DATASET])
    if problem is None and (folder / DATASET).exists():
        inner = DATA_SET.problem(folder / DATASET)
        problem = None if inner is None else f"holds '{DATASET}', and that {inner}"
    return problem


@contextmanager
def _guard(folder: Path) -> Iterator[None]:
    with sole(folder / LOCK, f"{folder}: another process is training this run; wait until it has ended"):
        yield


_EVERY_RUN = {"model", "protocol", "seed", "parameters", "training"}
"""Keys of ``config.yaml`` in every release."""

RUN = FolderKind(
    name="run",
    problem=_problem,
    owns=(
        *map(re.escape, (CONFIG, METRICS_FILE, RESULT, PER_USER, TRACKING, EMBEDDINGS, FOLDING, COLD)),
        r"report\.html|worker\.log",
        r"checkpoint/(last|best)\.safetensors",
        r"tensorboard/events\.out\.tfevents\.[^/]+",
        r"(cost|groups|error)\.json",
        *IN_RUN,
    ),
    guard=_guard,
)
