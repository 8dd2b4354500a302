"""Settings: ``config.yaml``, ``--set``, plans of comparisons, recipes, and the record of a download."""

import json
from pathlib import Path
from random import Random

from alignrec_geo.dataset.fetch import read_record
from alignrec_geo.dataset.recipes import read_recipe
from alignrec_geo.training.run_config import RunConfig
from tests.fuzz.inputs import Input
from tests.fuzz.target import Target, Wrong, each, only

DATASETS = Path(__file__).resolve().parents[3] / "datasets"


def config_seeds(folder: Path) -> list[Input]:
    """``config.yaml`` of every model, as stored."""
    from alignrec_geo.models import MODELS

    seeds = []
    for name in MODELS:
        RunConfig.resolve({"model": name, "features": ["image", "text"]}).save(folder / name)
        seeds.append({"config.yaml": (folder / name).read_bytes()})
    return seeds


def read_config(folder: Path, out: Path, rng: Random) -> None:
    """``train --config``, and once more what was written."""
    config = RunConfig.load(only(folder))
    config.save(out / "again.yaml")
    if RunConfig.load(out / "again.yaml") != config:
        raise Wrong("the settings that were read are not those that were written")


def setting_seeds(_: Path) -> list[Input]:
    """One ``key=value``."""
    given = ("dim=32", "training.epochs=5", "parameters.losses=bpr + 0.1 * infonce", "lr=1e-3", "conv=lightgcn",
    "layers=2", "kernels.propagation=auto",
             "batch_size=2048", "features=[image]", "cutoffs=[10, 20]", "training.metric=recall@20")  # fmt: skip
    return [{"one.set": text.replace("=", ": ", 1).encode()} for text in given]


def read_setting(folder: Path, out: Path, rng: Random) -> None:
    """``train --set``; the file holds ``key: value`` so that it changes as YAML does."""
    from alignrec_geo.models import MODELS

    content = only(folder).read_bytes() if only(folder).is_file() else b""
    key, _, value = content.decode(errors="replace").partition(":")
    RunConfig.resolve({"model": rng.choice(sorted(MODELS))}, [f"{key}={value.lstrip(' ')}"])


def recipe_seeds(_: Path) -> list[Input]:
    """The recipes of the project."""
    return [{"recipe.toml": file.read_bytes()} for file in sorted(DATASETS.glob("*/recipe.toml"))]


def read_any_recipe(folder: Path, out: Path, rng: Random) -> None:
    """``data fetch FILE``, without fetching."""
    recipe = read_recipe(only(folder))
    line = recipe.import_line(Path("/tmp/a b"))
    if "\n" in line or "\x1b" in line:
        raise Wrong("the command to copy holds control characters")
    for file in recipe.files:
        if not (out / file.path).resolve().is_relative_to(out.resolve()):
            raise Wrong(f"{file.path} lies outside")


def record_seeds(_: Path) -> list[Input]:
    """What ``data fetch`` leaves."""
    file = {"url": "https://x/a.zip", "bytes": 3, "sha256": "ab", "hash_published": True}
    return [{"fetched.json": json.dumps({"recipe": "ml-100k", "files": {"a.zip": file}}).encode()}]


def read_any_record(folder: Path, out: Path, rng: Random) -> None:
    """The record of a download, and JSON as such."""
    from alignrec_geo.dataset.fetch import RECORD
    from alignrec_geo.files import read_json

    file = only(folder)
    if file.is_file():
        (out / RECORD).write_bytes(file.read_bytes())
    each(lambda: read_record(out), lambda: read_json(file))


TARGETS = (
    Target("config", 2_500, config_seeds, read_config),
    Target("set", 12_000, setting_seeds, read_setting),
    Target("recipe", 16_000, recipe_seeds, read_any_recipe),
    Target("record", 14_000, record_seeds, read_any_record),
)
