"""One table imported in memory and in parts: both give the same, or say the same."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from alignrec_geo.dataset.readers.table import TableConfig, read_table
from alignrec_geo.dataset.streaming.importing import import_table
from alignrec_geo.errors import InputError


def made(folder: Path) -> dict[str, Any]:
    """All that a data set folder says, without the hashes of files that hold the same."""
    said = json.loads((folder / "dataset.json").read_text())
    files = {name: pl.read_parquet(folder / name).to_dict(as_series=False) for name in said["files"] if "/" not in name}
    kinds = {name: dict(pl.read_parquet_schema(folder / name)) for name in files}
    features = {name: hashed for name, hashed in said["files"].items() if "/" in name}
    return {**said, "files": files, "kinds": kinds, "features": features}


def compare(folder: Path, **values: Any) -> dict[str, Any]:
    """Import both ways; what comes out, a data set or an error, must be the same. Returns it."""
    config = TableConfig(**{"interactions": folder / "clicks.csv", **values})
    wanted = refusal(lambda: read_table(config).save(folder / "a" / "shop", overwrite=True))
    assert refusal(lambda: import_table(config, folder / "b" / "shop", overwrite=True)) == wanted
    if wanted is not None:
        assert not list((folder / "b").glob(".*")), "something was left behind"
        return {"error": wanted}
    assert not list((folder / "b").glob(".*"))
    assert sorted(path.name for path in (folder / "b" / "shop").iterdir()) == sorted(
        path.name for path in (folder / "a" / "shop").iterdir()
    )
    wanted = made(folder / "a" / "shop")
    assert made(folder / "b" / "shop") == wanted
    return wanted


def refusal(make: Callable[[], object]) -> str | None:
    """What is said of bad input; ``None`` if nothing is."""
    try:
        make()
    except InputError as error:
        return str(error)
    return None


def clicks(rows: int = 300, users: int = 25, items: int = 12, seed: int = 0) -> pl.DataFrame:
    """Rows of which many are of one pair, with times that tie."""
    draw = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "user": draw.integers(0, users, rows),
            "item": draw.integers(0, items, rows),
            "time": draw.integers(0, 40, rows),
            "stars": draw.integers(1, 6, rows) / 2,
            "part": draw.choice(["train", "train", "valid", "test", "none"], rows),
        }
    )
