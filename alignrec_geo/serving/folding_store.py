"""The linear fold-in rule of a run on disk: ``folding.safetensors`` beside the tables that it belongs to."""

from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import get_args

from safetensors.torch import save_file
from torch import Tensor

from alignrec_geo.errors import InputError
from alignrec_geo.files import atomic_path, inside, sha256_of
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.serving.file_names import EMBEDDINGS as EMBEDDINGS
from alignrec_geo.serving.folding import Folding, Scale
from alignrec_geo.tensors import read_tensors

FOLDING = "folding.safetensors"


def save_folding(file: Path, folding: Folding, tables: Path) -> None:
    """Write the rule, atomically, with the hash of the file of tables that it belongs to."""
    # one key of metadata only: safetensors writes several in random order
    added = [folding]
    while (more := added[-1].plus) is not None:
        added.append(more)
    told = {"folding": " ".join([sha256_of(tables), *(rule.scale for rule in added)])}
    parts = {f"{name}.{place}": getattr(rule, name) for place, rule in enumerate(added) for name in ("table", "bias")}
    there = {name: part.detach().cpu().contiguous() for name, part in parts.items() if part is not None}
    with atomic_path(file) as staging:
        save_file(there, staging, told)


def load_folding(file: Path, tables: Path) -> Folding | None:
    """Read what :func:`save_folding` wrote; ``None`` where there is none, or one of other tables.

    Args:
        file: the file.
        tables: the file of the run's tables.

    Raises:
        InputError: the file is damaged.
    """
    if not file.exists():
        return None
    tensors, told = read_tensors(file, ("table.0",))
    made_for, *scales = told.get("folding", "").split(" ")
    rules = []
    for place, scale in enumerate(scales):
        table, bias = tensors.get(f"table.{place}"), tensors.get(f"bias.{place}")
        fits = table is not None and table.dim() == 2 and (bias is None or bias.shape == table.shape[1:])
        if table is None or not fits or scale not in get_args(Scale) or table.shape != tensors["table.0"].shape:
            raise InputError(f"{file}: not a fold-in rule of this program")
        rules.append(Folding(table.float(), scale, None if bias is None else bias.float()))  # type: ignore[arg-type]
    if not rules:
        raise InputError(f"{file}: not a fold-in rule of this program")
    if not all(bool(part.isfinite().all()) for part in tensors.values()):
        raise InputError(f"{file}: holds NaN or infinity")
    return reduce(Folding.__add__, rules) if made_for == sha256_of(tables) else None


class StoredFolding:
    """The rule of a run folder, read when it is first needed.

    Args:
        folder: the run folder, or one of saved tables.

    Raises:
        InputError: when called: the folder holds no rule for its tables, or a damaged one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._folding: Folding | None = None

    @property
    def there(self) -> bool:
        """Whether the folder holds a rule for its tables."""
        if self._folding is None:
            self._folding = load_folding(inside(self.folder, FOLDING), self.folder / EMBEDDINGS)
        return self._folding is not None

    def take_into_memory(self) -> None:
        """Read the rule now, and keep nothing mapped from its file."""
        if self.there and self._folding is not None:
            self._folding = _copied(self._folding)

    def __call__(self, histories: CSR) -> Tensor:
        """Return the vectors of users with these histories."""
        if not self.there or self._folding is None:
            raise InputError(
                f"{self.folder}: holds no rule by which users are folded in: its model has none that is one table, or "
                "training has not ended; alignrec_geo.load(…).top_items() makes one of the run's model"
            )
        return self._folding(histories)


def _copied(rule: Folding) -> Folding:
    more = None if rule.plus is None else _copied(rule.plus)
    return replace(rule, table=rule.table.clone(), bias=None if rule.bias is None else rule.bias.clone(), plus=more)
