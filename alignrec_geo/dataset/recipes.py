"""Recipes of public data sets: where each comes from, its licence and hashes, and how to import it."""

import shlex
import sysconfig
import tomllib
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from alignrec_geo.errors import InputError
from alignrec_geo.validation import checked

RECIPE = "recipe.toml"


class RemoteFile(BaseModel):
    """One file of a data set and how to know that it came whole."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(pattern=r"^https?://\S+$")
    """The owner's address."""
    path: str
    """Where the file lies in the downloaded folder."""
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """Published SHA-256."""
    md5: str | None = Field(default=None, pattern=r"^[0-9a-f]{32}$")
    """Published MD5, where the owner publishes no better hash."""
    bytes: int | None = Field(default=None, ge=1)
    """Published size."""
    unpack: bool = False
    """Unpack it beside itself: ``.zip`` and ``.tar`` with any compression."""
    optional: bool = False
    """Only fetched when asked for: large, and not needed by the import command."""

    @field_validator("path")
    @classmethod
    def _inside(cls, path: str) -> str:
        parts = PurePosixPath(path)
        if parts.is_absolute() or ".." in parts.parts or not parts.parts or "\\" in path:
            raise ValueError(f"must be a relative path that stays in its folder (got '{path}')")
        return path


class Statistics(BaseModel):
    """Published counts, to compare an import with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    users: int = Field(ge=1)
    """Number of users."""
    items: int = Field(ge=1)
    """Number of items."""
    interactions: int = Field(ge=1)
    """Number of user-item pairs."""


class Recipe(BaseModel):
    """How to get one data set. Exactly one of ``files``, ``manual`` and ``generated`` says how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    """What ``data fetch`` calls it."""
    title: str
    """Its full name."""
    homepage: str
    """Where its owner describes it."""
    licence: str
    """What its owner allows."""
    citation: str
    """What to cite."""
    statistics: dict[str, Statistics] = Field(min_length=1)
    """Published counts of every data set that comes of it, by name."""
    files: tuple[RemoteFile, ...] = ()
    """What to download."""
    manual: str | None = None
    """What to do by hand where there is no direct address."""
    generated: bool = False
    """Made on this machine; nothing to download."""
    import_command: str = Field(alias="import", pattern=r"^alignrec-geo ")
    """The command that makes a data set of it; ``{folder}`` stands for the downloaded folder."""

    @model_validator(mode="after")
    def _one_way(self) -> "Recipe":
        ways = [bool(self.files), self.manual is not None, self.generated]
        if sum(ways) != 1:
            raise ValueError("exactly one of 'files', 'manual' and 'generated' must be given")
        paths = [file.path for file in self.files]
        if len(set(paths)) < len(paths):
            raise ValueError("two files have the same path")
        return self

    @property
    def way(self) -> str:
        """``download``, ``manual`` or ``generated``."""
        return "download" if self.files else "generated" if self.generated else "manual"

    def import_line(self, folder: Path) -> str:
        """The import command with the path of the downloaded folder in it."""
        return self.import_command.replace("{folder}", shlex.quote(folder.as_posix()))


def list_recipes() -> list[Recipe]:
    """Return all recipes of this checkout or installation, sorted by name."""
    return [read_recipe(path) for path in sorted(_recipe_files().values(), key=lambda path: path.parent.name)]


def find_recipe(name_or_path: str) -> Recipe:
    """Return a recipe by name, or from a ``recipe.toml`` of one's own.

    Raises:
        InputError: the name is unknown, or the file is missing or not a recipe.

    Example:
        >>> find_recipe("ml-100k").statistics["ml-100k"].users
        943
    """
    if name_or_path.endswith(".toml"):
        return read_recipe(Path(name_or_path))
    files = _recipe_files()
    if name_or_path not in files:
        known = ", ".join(sorted(files)) or "none (the recipes are not installed)"
        raise InputError(f"no recipe called '{name_or_path}'; known are {known}; or give a path to a {RECIPE}")
    return read_recipe(files[name_or_path])


def read_recipe(path: Path) -> Recipe:
    """Read and check a ``recipe.toml``.

    Raises:
        InputError: the file is missing, is not TOML, or has an unknown or impossible entry.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such recipe") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid TOML ({error})") from None
    return checked(Recipe, content, prefix=f"{path}: ")


def _recipe_files() -> dict[str, Path]:
    """Recipe files by name: those of the checkout, else those that the installation brought."""
    schemes = (sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user"))
    shared = (Path(sysconfig.get_path("data", scheme)) / "share/alignrec_geo/datasets" for scheme in schemes)
    for folder in (Path(__file__).resolve().parents[2] / "datasets", *shared):
        found = {path.parent.name: path for path in folder.glob(f"*/{RECIPE}")}
        if found:
            return found
    return {}
