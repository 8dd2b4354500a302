"""What a run leaves on disk, written so that a killed run leaves its last good state."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
from safetensors.torch import save_file
from torch import Tensor

from alignrec_geo.dataset.store import Dataset
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.files import atomic_path, write_json
from alignrec_geo.records import RunResult, read_record
from alignrec_geo.serving.store import DATASET, write_embeddings
from alignrec_geo.tensors import read_tensors
from alignrec_geo.training.run_config import CONFIG, RunConfig

METRICS = "metrics.jsonl"
RESULT = "result.json"
PER_USER = "per_user.parquet"


class RunFolder:
    """The files of a run.

    - ``config.yaml``: the resolved settings
    - ``metrics.jsonl``: one line per epoch
    - ``checkpoint/last.safetensors``, ``checkpoint/best.safetensors``: to continue from, and the chosen epoch
    - ``embeddings.safetensors``, ``dataset/``: what serving needs
    - ``result.json``, ``per_user.parquet``: test metrics, once training has ended

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def last(self) -> Path:
        """The checkpoint to continue from."""
        return self.path / "checkpoint" / "last.safetensors"

    @property
    def best(self) -> Path:
        """The trained parameters of the epoch that validation chose."""
        return self.path / "checkpoint" / "best.safetensors"

    @property
    def result(self) -> Path:
        """The test metrics; there once training has ended."""
        return self.path / RESULT

    def refuse_existing(self, allowed: bool) -> None:
        """Refuse a path that cannot become a run folder.

        Args:
            allowed: a run may be there already, to be continued or replaced.

        Raises:
            InputError: the path is a file, a folder of something else, or holds a run and ``allowed`` is false.
        """
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"{self.path} is a file; a run folder is to be written there")
        if not self.path.exists() or not any(self.path.iterdir()):
            return
        if not any((self.path / name).exists() for name in (CONFIG, DATASET)):
            raise InputError(f"{self.path} is a folder with other content; name a new folder for the run")
        if not allowed:
            raise InputError(
                f"{self.path} holds a run already; pass --resume to continue it or --overwrite to replace it"
            )

    def prepare(self, dataset: Dataset, config: RunConfig, resume: bool, overwrite: bool = False) -> None:
        """Make the folder, replacing a run if ``overwrite``, or check that it can be continued.

        Raises:
            InputError: there is a run already and ``resume`` is false, or it was started on other interactions.
        """
        self.refuse_existing(resume or overwrite)
        if overwrite:
            shutil.rmtree(self.path, ignore_errors=True)
        if (self.path / DATASET).exists() and resume:
            stored = Dataset.open(self.path / DATASET)
            if stored.fingerprint() != dataset.fingerprint():
                raise InputError(
                    f"{self.path} was trained on other interactions than data set '{dataset.name}' holds now"
                )
        else:
            dataset.save(self.path / DATASET, overwrite=True, content=False)
        if not (self.path / CONFIG).exists():
            config.save(self.path / CONFIG)

    def keep_epochs(self, count: int) -> None:
        """Drop the lines of ``metrics.jsonl`` after the first ``count`` epochs (those of a killed session)."""
        path = self.path / METRICS
        lines = path.read_text(encoding="utf-8").splitlines()[:count] if path.exists() else []
        if len(lines) < count:
            raise InputError(f"{path}: {len(lines)} epochs, the checkpoint has {count}")
        with atomic_path(path) as staging:
            staging.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def log(self, record: Mapping[str, Any]) -> None:
        """Append one epoch to ``metrics.jsonl``."""
        with (self.path / METRICS).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record, allow_nan=False) + "\n")

    def write_best(self, parameters: Mapping[str, Tensor], embeddings: Embeddings) -> None:
        """Write the parameters and tables of the best epoch so far."""
        with atomic_path(self.best) as staging:
            save_file({name: tensor.contiguous() for name, tensor in parameters.items()}, staging)
        write_embeddings(self.path, embeddings)

    def read_best(self) -> dict[str, Tensor]:
        """Read the parameters of the best epoch so far."""
        return read_tensors(self.best)[0]

    def write_result(self, result: Mapping[str, Any], per_user: pl.DataFrame | None) -> None:
        """Write ``result.json`` and ``per_user.parquet``."""
        if per_user is not None:
            with atomic_path(self.path / PER_USER) as staging:
                per_user.write_parquet(staging)
        write_json(self.result, dict(result))

    def read_result(self) -> dict[str, Any]:
        """Read ``result.json``."""
        return read_record(self.result, RunResult)
