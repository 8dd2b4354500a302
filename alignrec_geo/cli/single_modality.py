"""Data sets with one modality: ``pretrain`` aligns two, so it names the way there is for one."""

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from alignrec_geo.errors import InputError

if TYPE_CHECKING:
    from alignrec_geo.dataset.store import Dataset


def check_both_modalities(dataset: "Dataset") -> None:
    """Refuse a data set whose items have no images, or no texts.

    Raises:
        InputError: it is one; says which commands make features of the modality that is there.
    """
    items = dataset.items
    images, texts = items["image"].count(), items["text"].count() + items["title"].count()
    if images and texts:
        return
    if not images and not texts:
        raise InputError(
            f"data set '{dataset.name}' has neither images nor texts; import it with --images and --items, or feature "
            "matrices with --feature, which 'pretrain --encoder features' aligns"
        )
    have, modality, lack, option = ("images", "image", "texts", "--items … --text COLUMN")
    if texts:
        have, modality, lack, option = ("texts", "text", "images", "--images FOLDER_OR_TAR")
    ready = modality in dataset.feature_names
    extract = "" if ready else f"'alignrec-geo features extract {_path(dataset)} --raw {modality}', then "
    raise InputError(
        f"data set '{dataset.name}' has {have} and no {lack}, and 'pretrain' aligns the two. With {have} alone: "
        f"{extract}{_whiten(dataset, modality)}. With {lack} too, import it with {option}"
    )


def check_two_matrices(dataset: "Dataset", matrices: Sequence[str]) -> None:
    """Refuse to align fewer than two feature matrices.

    Raises:
        InputError: there are fewer; says what to do with one.
    """
    if len(matrices) >= 2:
        return
    if matrices:
        dataset.features(matrices[0])  # there is one of that name
        raise InputError(
            f"'pretrain --encoder features' aligns two or more feature matrices (got {matrices[0]}). With one: "
            f"{_whiten(dataset, matrices[0])}"
        )
    raise InputError(
        f"data set '{dataset.name}' has no feature matrices to align; import some with --feature NAME=FILE, or encode "
        f"texts and images with 'alignrec-geo features extract {_path(dataset)}'"
    )


def _path(dataset: "Dataset") -> str:
    return shlex.quote(str(dataset.path))


def _whiten(dataset: "Dataset", name: str) -> str:
    white = f"{name}-white"
    return (
        f"'alignrec-geo features whiten {_path(dataset)} --from {name} --name {white}' and "
        f"'alignrec-geo train {_path(dataset)} --features {white} --out RUN'"
    )
