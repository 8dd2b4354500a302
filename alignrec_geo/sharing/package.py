"""What of a folder leaves the machine: its files by their path there, and what a card says of them."""

from dataclasses import dataclass, field
from pathlib import Path

from alignrec_geo.dataset.manifest import CROISSANT, MANIFEST
from alignrec_geo.errors import InputError
from alignrec_geo.folders import check_links
from alignrec_geo.sharing.croissant import croissant_text
from alignrec_geo.sharing.data_package import data_files, feature_files
from alignrec_geo.sharing.kinds import DATA, FEATURES, RUN
from alignrec_geo.sharing.manifest import Shared, shared_file
from alignrec_geo.sharing.run_package import run_files
from alignrec_geo.training.run_files import CONFIG

MOST_FILES = 10_000
"""Files that one folder of a repository of the Hub may hold."""


@dataclass(frozen=True)
class Choice:
    """What is left out.

    Args:
        without_users: no users, no interactions: of a run what serves items and baskets, of a data set its features.
        without_images: of a data set, no images.
        slim: of a run, not the state that ``resume`` continues from.
    """

    without_users: bool = False
    without_images: bool = False
    slim: bool = False


@dataclass(frozen=True)
class Package:
    """What is sent.

    Args:
        shared: kind, name, and every file with its size and hash.
        files: where each file is read from.
        users: users whose ids are in it.
        pairs: interactions that are in it.
        folder: what it was made from.
    """

    shared: Shared
    files: dict[str, Path] = field(repr=False)
    users: int
    pairs: int
    folder: Path

    @property
    def told(self) -> str:
        """What leaves the machine, in one line."""
        size = f"{len(self.files)} files, {self.shared.total / 1e6:,.1f} MB"
        if not self.users:
            return f"{size}; no users, no interactions"
        return f"{size}, among them the ids of {self.users:,} users and their {self.pairs:,} interactions"


def make_package(folder: Path, staging: Path, choice: Choice, license: str | None = None) -> Package:
    """Collect what is sent of a run or a data set; nothing in its folder is changed.

    Args:
        folder: the run or data set.
        staging: an empty folder for files that are sent otherwise than they are.
        choice: what is left out.
        license: of a data set, for its Croissant description.

    Raises:
        InputError: it is neither, is damaged or unfinished, or has more files than the Hub takes.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; a run or a data set is needed")
    check_links(folder)
    if (folder / CONFIG).is_file():
        if choice.without_images:
            raise InputError(f"{folder}: is a run, which holds no images; without_images= is for data sets")
        kind, made = RUN, run_files(folder, staging, choice.without_users, choice.slim)
    elif (folder / MANIFEST).is_file():
        if choice.slim:
            raise InputError(f"{folder}: is a data set; slim= is for runs")
        if choice.without_users:
            kind, made = FEATURES, feature_files(folder, staging)
        else:
            kind, made = DATA, data_files(folder, staging, choice.without_images)
    else:
        raise InputError(f"{folder}: neither a run (no {CONFIG}) nor a data set (no {MANIFEST})")
    _check_number(made.files, folder)
    if kind == DATA:
        described = staging / CROISSANT
        described.write_text(croissant_text(folder if made.root is None else made.root, made.files, license), "utf-8")
        made.files[CROISSANT] = described
    files = dict(sorted(made.files.items()))
    shared = Shared(kind=kind, name=made.name, files={path: shared_file(file) for path, file in files.items()})
    return Package(shared, files, made.users, made.pairs, folder)


def _check_number(files: dict[str, Path], folder: Path) -> None:
    images = sum(path.startswith("images/") for path in files)
    if images > MOST_FILES:
        raise InputError(
            f"{folder}: has {images:,} images; a folder on the Hub holds at most {MOST_FILES:,} files. Pass "
            "without_images=True"
        )
