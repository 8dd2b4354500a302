"""Export of a run: one folder per format, checked by reading it back."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from alignrec_geo.dataset.manifest import DATA_SET
from alignrec_geo.errors import InputError
from alignrec_geo.exporting.faiss_files import write_faiss
from alignrec_geo.exporting.folder import EXPORT, finish
from alignrec_geo.exporting.parquet import write_parquet
from alignrec_geo.exporting.program_files import write_programs
from alignrec_geo.exporting.source import Source
from alignrec_geo.exporting.written import Written
from alignrec_geo.files import naming
from alignrec_geo.folders import atomic_directory, folder_target
from alignrec_geo.serving.asked import asked_count
from alignrec_geo.serving.index.package import load_faiss

PACKAGES = {
    "parquet": (),
    "faiss": ("faiss-cpu",),
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "torch-export": (),
}
FORMATS = tuple(PACKAGES)
"""What a run can be exported to."""
TOP = 50
"""Items that an exported program ranks if nothing else is said."""


@dataclass(frozen=True)
class ExportOptions:
    """How a run is exported.

    Args:
        k: ``parquet``: also write so many items for every user; programs: how many items they rank, 50 if not given.
        float16: vectors in half precision: half the size, scores to three digits.
        include_cold: with the items that ``embed`` gave a vector to.
        programs: ``onnx`` and ``torch-export``: some of ``scorer`` and ``item-encoder``; all that there are
            if not given.
        dataset: the data set that the run was trained on, if it was moved; for the item encoder.
    """

    k: int | None = None
    float16: bool = False
    include_cold: bool = False
    programs: Sequence[str] | None = None
    dataset: Path | None = None


def export_run(
    run: Path, to: str, out: Path, options: ExportOptions | None = None, overwrite: bool = False
) -> dict[str, Any]:
    """Write a run as files that need nothing of this package to be loaded, and check them by loading them.

    - ``parquet``: users and items with ids and vectors, on demand with everybody's best items;
    - ``faiss``: an index by inner product with ids: of all vectors up to 200,000 items, of lists above;
    - ``onnx``, ``torch-export``: the ranking as a program, and the item encoder, from rows of the feature matrices
      to the vector of an item that the run has not seen.

    Args:
        run: the run folder.
        to: one of :data:`FORMATS`.
        out: the folder to write; it appears whole or not at all.
        options: see :class:`ExportOptions`.
        overwrite: replace an earlier export.

    Returns:
        The manifest: shapes, versions, what was compared, and the hash of every file.

    Raises:
        InputError: no run, an unknown format, options that do not go together, a missing package, or the folder exists.
    """
    if to not in FORMATS:
        raise InputError(f"to must be one of {', '.join(FORMATS)} (got {to!r:.80})")
    chosen = options or ExportOptions()
    k = None if chosen.k is None else asked_count(chosen.k)
    if chosen.programs is not None and not _is_program(to):
        raise InputError(f"programs goes with to='onnx' and to='torch-export' (got to='{to}')")
    if k is not None and to == "faiss":
        raise InputError("k goes with the other formats: an index is asked for as many items as are wanted")
    if to == "faiss":
        load_faiss()
    folder_target(out, EXPORT, overwrite, [run, chosen.dataset])
    source = Source(run, chosen.include_cold, chosen.dataset)
    inputs = [run, chosen.dataset, *DATA_SET.files(source.top.dataset.path)]
    if not len(source.items):
        raise InputError(f"{run}: has no items to export")
    with atomic_directory(out, EXPORT, overwrite, inputs) as folder, naming(folder):
        written = _written(source, to, folder, k, chosen)
        return finish(folder, to, source, written, {name: version(name) for name in PACKAGES[to]})


def _written(source: Source, to: str, folder: Path, k: int | None, options: ExportOptions) -> Written:
    if to == "parquet":
        return write_parquet(source, folder, k, options.float16)
    if to == "faiss":
        return write_faiss(source, folder, options.float16)
    return write_programs(source, folder, to, TOP if k is None else k, options.float16, options.programs)


def _is_program(to: str) -> bool:
    return to in ("onnx", "torch-export")
