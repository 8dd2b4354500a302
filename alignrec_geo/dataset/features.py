"""A feature matrix of the items, with a mask that says which items have it."""

import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from alignrec_geo.errors import InputError
from alignrec_geo.files import atomic_path
from alignrec_geo.reading import reading
from alignrec_geo.tensors import as_array, plain_array, read_tensors

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_LONGEST = 200
STORED, HALF = "stored as", "float16"
"""What the ``meta`` of a matrix in half precision says."""


def checked_name(name: str) -> str:
    """Return a name that features can have, which is a file's name too.

    Raises:
        InputError: they cannot have it.

    Example:
        >>> checked_name("../../x")
        Traceback (most recent call last):
        alignrec_geo.errors.InputError: a feature name takes letters, digits, '_', '-' and '.' (got '../../x')
    """
    if not _NAME.fullmatch(name) or name == "none":
        raise InputError(f"a feature name takes letters, digits, '_', '-' and '.' (got '{name:.100}')")
    if len(name) > _LONGEST:
        raise InputError(f"a feature name takes {_LONGEST} characters at most (got {len(name)})")
    return name


@dataclass(frozen=True)
class Features:
    """One vector per item for one modality.

    Args:
        name: the modality (``image``, ``text``, ``audio``…): letters, digits, ``_``, ``-``, ``.``.
        matrix: ``[I, D]`` float32; rows of items without this modality are zero.
        present: ``[I]`` bool, true where the item has this modality.
        meta: how the matrix was made, free text by key.

    Raises:
        InputError: the name is not allowed, the shapes do not fit, or a present row holds NaN or infinity.
    """

    name: str
    matrix: NDArray[np.float32]
    present: NDArray[np.bool_]
    meta: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checked_name(self.name)
        for part, kinds, held in (("matrix", "fiub", "numbers"), ("present", "b", "truth values")):
            array = plain_array(getattr(self, part))
            if array.dtype.kind not in kinds:
                raise InputError(f"features '{self.name}': '{part}' holds {held} (got {array.dtype})")
            object.__setattr__(self, part, array)
        if self.matrix.ndim != 2 or self.matrix.shape[1] == 0:
            raise InputError(f"features '{self.name}' must be a matrix [items, width] (got shape {self.matrix.shape})")
        if self.present.shape != (len(self.matrix),):
            raise InputError(
                f"features '{self.name}': the mask has shape {self.present.shape}, the matrix {self.matrix.shape}"
            )
        bad = np.flatnonzero(~np.isfinite(self.matrix).all(axis=1))
        if len(bad):
            raise InputError(
                f"features '{self.name}' hold NaN or infinity in {len(bad)} of {len(self.matrix)} rows "
                f"(first: row {bad[0]})"
            )
        object.__setattr__(self, "matrix", np.ascontiguousarray(self.matrix, dtype=np.float32))
        if not self.present.all() and self.matrix[~self.present].any():
            object.__setattr__(self, "matrix", np.where(self.present[:, None], self.matrix, np.float32(0)))

    @property
    def width(self) -> int:
        """Number of columns ``D``."""
        return int(self.matrix.shape[1])

    def half(self) -> "Features":
        """The same in half precision: half the size when it is stored, numbers to three digits.

        In memory, and to models, the matrix is float32 as ever; ``meta`` says how it is stored.

        Raises:
            InputError: a number is beyond 65,504.

        Example:
            >>> features = Features("image", np.full((1, 2), 0.1), np.array([True]))
            >>> features.half().matrix.tolist()[0][0], features.half().meta
            (0.0999755859375, {'stored as': 'float16'})
        """
        with np.errstate(over="ignore"):
            matrix = self.matrix.astype(np.float16).astype(np.float32)
        if not np.isfinite(matrix).all():
            raise InputError(
                f"features '{self.name}': float16 holds numbers up to 65,504 (got {np.abs(self.matrix).max():.6g})"
            )
        return replace(self, matrix=matrix, meta={**self.meta, STORED: HALF})

    def save(self, path: Path) -> None:
        """Write ``matrix`` and ``present`` as safetensors, atomically; see :meth:`half`."""
        # One key only: safetensors writes several in random order, and equal features would get unequal hashes.
        header = {"features": json.dumps({"name": self.name, "meta": self.meta}, ensure_ascii=False)}
        matrix = self.matrix.astype(np.float16) if self.meta.get(STORED) == HALF else self.matrix
        with atomic_path(path) as staging:
            save_file({"matrix": matrix, "present": self.present}, staging, metadata=header)

    @classmethod
    def load(cls, path: Path) -> "Features":
        """Read a file that :meth:`save` wrote.

        Raises:
            InputError: the file is missing, truncated, or not a feature file.
        """
        tensors, header = read_tensors(path, ("matrix", "present"))
        with reading(path, "feature file"):
            told = json.loads(header.get("features", "{}"))
            name, meta = told.get("name", path.stem), told.get("meta", {})
            if not isinstance(meta, dict) or not all(isinstance(value, str) for value in (name, *meta.values())):
                raise InputError(f"{path}: not a feature file: its name and what is told of it must be text")
            matrix, present = as_array(tensors["matrix"]), as_array(tensors["present"])
            if matrix.dtype.kind not in "fiu" or present.dtype.kind != "b":
                raise InputError(
                    f"{path}: not a feature file: 'matrix' holds numbers and 'present' truth values "
                    f"(got {matrix.dtype} and {present.dtype})"
                )
            with np.errstate(over="ignore"):
                return cls(name, matrix.astype(np.float32, copy=False), present.astype(np.bool_), meta)
