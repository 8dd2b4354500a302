"""A recipe of one small file."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from alignrec_geo.dataset.recipes import Recipe

CONTENT = np.random.default_rng(0).bytes(400_000)


def make_recipe(url: str, **file: Any) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "toy",
            "title": "Toy",
            "homepage": "http://localhost",
            "licence": "none",
            "citation": "none",
            "statistics": {"toy": {"users": 1, "items": 1, "interactions": 1}},
            "import": "alignrec-geo data import table {folder}/toy.bin --out toy",
            "files": [{"url": f"{url}/toy.bin", "path": "toy.bin", **file}],
        }
    )


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
