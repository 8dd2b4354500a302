"""Recipes of public data sets: where each comes from, its licence and hashes, and how to import it."""

import shlex
import sysconfig
import tomllib
from pathlib import Path, PurePosixPath, PureWindowsPath

from pydantic import Field, field_validator, model_validator

from alignrec_geo.dataset.download import ADDRESS, is_address
from alignrec_geo.errors import InputError
from alignrec_geo.limits import limit, over_limit
from alignrec_geo.reading import check_plain_file, reading
from alignrec_geo.settings import Settings, checked

RECIPE = "recipe.toml"
RECORD = "fetched.json"
"""What ``data fetch`` writes beside the files."""


class RemoteFile(Settings):
    """One file of a data set and how to know that it came whole."""

    url: str
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

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        if not is_address(url):
            raise ValueError(f"must be {ADDRESS}")
        return url

    @field_validator("path")
    @classmethod
    def _inside(cls, path: str) -> str:
        parts = PurePosixPath(path)
        drive = PureWindowsPath(path).drive
        if parts.is_absolute() or ".." in parts.parts or not parts.parts or drive or "\\" in path:
            raise ValueError("must be a relative path that stays in its folder")
        if not path.isprintable() or parts.name == RECORD:
            raise ValueError("cannot be the name of a file of a data set")
        return str(parts)


class Statistics(Settings):
    """Published counts, to compare an import with."""

    users: int = Field(ge=1)
    """Number of users."""
    items: int = Field(ge=1)
    """Number of items."""
    interactions: int = Field(ge=1)
    """Number of user-item pairs."""


class Recipe(Settings):
    """How to get one data set. Exactly one of ``files``, ``manual`` and ``generated`` says how."""

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
    import_command: str = Field(alias="import")
    """The command that makes a data set of it; ``{folder}`` stands for the downloaded folder."""

    @field_validator("title", "homepage", "licence", "citation", "manual", "import_command")
    @classmethod
    def _plain(cls, text: str | None) -> str | None:
        """Text that is printed holds nothing that a terminal obeys, and stands on one line."""
        joined = " ".join((text or "").split())
        if not joined.isprintable():
            raise ValueError("must be text without control characters")
        return None if text is None else joined

    @field_validator("import_command")
    @classmethod
    def _own(cls, command: str) -> str:
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise ValueError(f"must be a command ({error})") from None
        if words[:2] != ["alignrec-geo", "data"] or words[2:3] not in (["import"], ["fetch"]):
            raise ValueError("must be 'alignrec-geo data import …' or '… fetch …'")
        return command

    @model_validator(mode="after")
    def _one_way(self) -> "Recipe":
        ways = [bool(self.files), self.manual is not None, self.generated]
        if sum(ways) != 1:
            raise ValueError("exactly one of 'files', 'manual' and 'generated' must be given")
        paths = [file.path for file in self.files]
        folders = {str(folder) for path in paths for folder in PurePosixPath(path).parents}
        if len(set(paths)) < len(paths) or folders & set(paths):
            raise ValueError("two files have the same path, or one lies in the other")
        return self

    @property
    def way(self) -> str:
        """``download``, ``manual`` or ``generated``."""
        return "download" if self.files else "generated" if self.generated else "manual"

    def import_line(self, folder: Path) -> str:
        """The import command with the path of the downloaded folder in it, each word quoted for a shell.

        A recipe is somebody else's: whatever stands in the command is an argument of this program, never a second
        command.
        """
        place = folder.as_posix()
        place = f"./{place}" if place.startswith("-") else place
        return shlex.join(word.replace("{folder}", place) for word in shlex.split(self.import_command))


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
    check_plain_file(path, "recipe")
    if path.stat().st_size > limit("recipe_bytes"):
        raise over_limit(path, f"has {path.stat().st_size} bytes", "recipe_bytes")
    with reading(path, "recipe in TOML"):
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
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
