"""Feature matrices, ids of their rows, stored features, codebooks."""

import json
from pathlib import Path
from random import Random

import numpy as np
import polars as pl
import torch
from safetensors.numpy import save_file

from alignrec_geo.content.tokens.visual_codes import VisualCodebook
from alignrec_geo.dataset.features import Features
from alignrec_geo.dataset.readers.matrices import read_ids, read_matrix
from tests.fuzz.inputs import Input
from tests.fuzz.target import Target, Wrong, only

MATRIX = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)


def npy_seeds(folder: Path) -> list[Input]:
    """Of several types and orders."""
    seeds = []
    for number, kind in enumerate(("<f4", "<f8", "<f2", "<i8", ">f4", "|u1", "|b1")):
        np.save(folder / f"{number}.npy", MATRIX.astype(kind))
        seeds.append({"m.npy": (folder / f"{number}.npy").read_bytes()})
    np.save(folder / "f.npy", np.asfortranarray(MATRIX))
    return [*seeds, {"m.npy": (folder / "f.npy").read_bytes()}]


def safetensors_seeds(folder: Path) -> list[Input]:
    """One tensor, or one called ``matrix`` among others."""
    save_file({"x": MATRIX}, folder / "a")
    save_file({"matrix": MATRIX.astype(np.float64), "other": MATRIX[0]}, folder / "b")
    return [{"m.safetensors": (folder / name).read_bytes()} for name in "ab"]


def matrix_table_seeds(folder: Path) -> list[Input]:
    """A table with number columns, or with one column of lists."""
    wide = pl.DataFrame({"item": [f"i{n}" for n in range(6)], **{f"c{n}": MATRIX[:, n] for n in range(4)}})
    lists = pl.DataFrame({"item": list(range(6)), "vector": MATRIX.tolist()})
    wide.write_parquet(folder / "a.parquet")
    lists.write_parquet(folder / "b.parquet")
    lines = "".join(json.dumps(row) + "\n" for row in lists.to_dicts()).encode()
    return [
        {"m.parquet": (folder / "a.parquet").read_bytes()},
        {"m.parquet": (folder / "b.parquet").read_bytes()},
        {"m.csv": wide.write_csv().encode()},
        {"m.jsonl": lines},
    ]


def read_features(folder: Path, out: Path, rng: Random) -> None:
    """``data import … --feature``."""
    matrix = read_matrix(only(folder), ("item",))
    if matrix.values.dtype != np.float32 or matrix.values.ndim != 2 or not np.isfinite(matrix.values).all():
        raise Wrong("a matrix that is none")
    if matrix.ids is not None and (len(matrix.ids) != len(matrix.values) or matrix.ids.null_count()):
        raise Wrong("rows without ids")


def ids_seeds(folder: Path) -> list[Input]:
    """One id a line, or a table."""
    ids = [f"i{n}" for n in range(6)]
    pl.DataFrame({"item": ids}).write_parquet(folder / "a.parquet")
    return [
        {"ids.txt": "\n".join(ids).encode()},
        {"rows": "\n".join(ids).encode()},
        {"ids.csv": ("item,n\n" + "".join(f"{name},1\n" for name in ids)).encode()},
        {"ids.parquet": (folder / "a.parquet").read_bytes()},
    ]


def read_row_ids(folder: Path, out: Path, rng: Random) -> None:
    """``data import … --feature-ids``."""
    ids = read_ids(only(folder), ("item",))
    if ids.dtype != pl.String or ids.null_count():
        raise Wrong("ids that are none")


def stored_seeds(folder: Path) -> list[Input]:
    """What ``Features.save`` writes."""
    present = np.array([True, True, False, True, True, True])
    Features("image", MATRIX, present, {"made by": "x", "encoder": "y"}).save(folder / "a")
    return [{"image.safetensors": (folder / "a").read_bytes()}]


def read_stored(folder: Path, out: Path, rng: Random) -> None:
    """``features describe FILE``."""
    from alignrec_geo.content.feature_sets.report import feature_report

    features = Features.load(only(folder))
    if (
        features.matrix.dtype != np.float32
        or not np.isfinite(features.matrix).all()
        or features.present.dtype != np.bool_
    ):
        raise Wrong("features that are none")
    feature_report(features, only(folder)).to_json()


def codebook_seeds(folder: Path) -> list[Input]:
    """What ``VisualCodebook.save`` writes."""
    VisualCodebook(torch.from_numpy(MATRIX), "abc").save(folder / "a")
    return [{"codes.safetensors": (folder / "a").read_bytes()}]


def read_codebook(folder: Path, out: Path, rng: Random) -> None:
    """``pretrain --codebook``."""
    VisualCodebook.load(only(folder)).codes(torch.zeros(2, 4))


TARGETS = (
    Target("matrix-npy", 25_000, npy_seeds, read_features),
    Target("matrix-safetensors", 20_000, safetensors_seeds, read_features),
    Target("matrix-table", 6_000, matrix_table_seeds, read_features),
    Target("row-ids", 12_000, ids_seeds, read_row_ids),
    Target("features", 18_000, stored_seeds, read_stored),
    Target("codebook", 6_000, codebook_seeds, read_codebook, quick=False),
)
