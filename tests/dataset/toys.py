"""Small inputs for the tests of data sets."""

import io
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from alignrec_geo.dataset.build import Tables, build_dataset
from alignrec_geo.dataset.interactions import Interactions
from alignrec_geo.dataset.splits import SplitConfig
from alignrec_geo.dataset.store import Dataset

ROWS = [  # user, item, split
    ("ann", "mug", 0),
    ("ann", "pen", 0),
    ("ann", "cup", 1),
    ("bob", "mug", 0),
    ("bob", "pen", 2),
    ("cid", "pen", 0),
]


def png(color: tuple[int, int, int] = (200, 30, 30), size: int = 8) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (size, size), color).save(buffer, "PNG")
    return buffer.getvalue()


def frame(rows: list[tuple[str, str, int]] | None = None) -> pl.DataFrame:
    return pl.DataFrame(
        ROWS if rows is None else rows,
        schema={"user": pl.String, "item": pl.String, "split": pl.Int8},
        orient="row",
    )


def dataset(**tables: object) -> Dataset:
    return build_dataset("toy", Tables(interactions=frame(), **tables), SplitConfig(rule="given"))  # type: ignore[arg-type]


def pairs(user: list[int], item: list[int], **columns: object) -> Interactions:
    return Interactions(
        user=np.array(user, dtype=np.int64),
        item=np.array(item, dtype=np.int64),
        split=np.zeros(len(user), dtype=np.int8),
        n_users=max(user, default=-1) + 1,
        n_items=max(item, default=-1) + 1,
        **columns,  # type: ignore[arg-type]
    )


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path
