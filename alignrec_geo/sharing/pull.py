"""Fetch what ``push`` sent: every file is checked by path, size and hash before the folder appears, whole or not."""

import hashlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from alignrec_geo.dataset.manifest import MANIFEST
from alignrec_geo.errors import InputError
from alignrec_geo.files import naming
from alignrec_geo.folders import atomic_directory, folder_target
from alignrec_geo.limits import limit, over_limit
from alignrec_geo.reading import as_path
from alignrec_geo.sharing.address import Address
from alignrec_geo.sharing.hub import asking, open_hub, repo_type
from alignrec_geo.sharing.kinds import FEATURES
from alignrec_geo.sharing.manifest import SHARED, Shared, SharedFile
from alignrec_geo.sharing.pulled import FOLDERS, add_features, check_pulled
from alignrec_geo.sharing.remote import BESIDE, fetch_file, fetch_shared, listing

if TYPE_CHECKING:
    from huggingface_hub import HfApi

BLOCK = 1 << 20


@dataclass(frozen=True)
class Pulled:
    """What came.

    Args:
        address: with its type.
        commit: which state of it.
        kind: ``run``, ``data set`` or ``features``.
        path: the folder.
        files: their number.
        bytes: of all of them.
        matched: items of the data set that features were added to, by name of the matrix; ``None`` otherwise.
    """

    address: str
    commit: str
    kind: str
    path: Path
    files: int
    bytes: int
    matched: dict[str, int] | None = None


def pull(
    address: str,
    path: str | PathLike[str],
    *,
    overwrite: bool = False,
    token: str | None = None,
    endpoint: str | None = None,
) -> Pulled:
    """Fetch a run, a data set or features from the Hub.

    Nothing that comes is run, unpickled or unpacked. A file is refused whose path, format, size or SHA-256 is not what
    ``shared.json`` and the kind allow, and so is a file that is in neither; then nothing is written. What was fetched
    stays in the cache of ``huggingface_hub`` (``HF_HUB_CACHE``), so that a broken transfer goes on.

    Args:
        address: ``OWNER/NAME``, with ``models/`` or ``datasets/`` before and ``@REVISION`` behind if need be.
        path: the new folder; of features also a data set, which they are added to by item id.
        overwrite: replace a folder of the same kind; of features those of the same names.
        token: instead of ``HF_TOKEN`` and of what ``hf auth login`` keeps.
        endpoint: instead of ``HF_ENDPOINT``.

    Raises:
        InputError: no such address, not from ``push``, or anything in it is not as it has to be.
        FetchError: the Hub cannot be reached, or the transfer broke off.

    Example:
        >>> pull("me/shop@v1", "runs/shop").kind  # doctest: +SKIP
        'run'
    """
    folder, api = as_path(path), open_hub(token, endpoint)
    where = Address.parse(address)
    where = Address(where.repo, repo_type(api, where), where.revision)
    with asking(where, api.endpoint):
        commit, sizes = listing(api, where)
        shared = fetch_shared(api, where, commit, sizes)
    _check_listing(shared, sizes, where)
    added = shared.kind == FEATURES and (folder / MANIFEST).is_file()
    kind = FOLDERS[shared.kind]
    if not added:
        folder_target(folder, kind, overwrite)  # before the transfer
    with asking(where, api.endpoint):
        cached = _fetched(api, where, commit)
    place: AbstractContextManager[str | Path] = (
        TemporaryDirectory(prefix="alignrec-geo-pull-") if added else atomic_directory(folder, kind, overwrite)
    )
    with place as staged:
        staging = Path(staged)
        for name, file in shared.files.items():
            if not _copied(cached / name, staging / name, file):
                with asking(where, api.endpoint):  # the cache may be damaged
                    again = fetch_file(api, where, commit, name, again=True)
                if not _copied(again, staging / name, file):
                    raise InputError(
                        f"{where}: '{name}' is not what {SHARED} says (size or SHA-256 differ): it was changed or "
                        "damaged; nothing was written"
                    )
        check_pulled(shared, staging, where)
        matched = add_features(shared, staging, folder, overwrite) if added else None
    return Pulled(str(where), commit, shared.kind, folder, len(shared.files), shared.total, matched)


def _check_listing(shared: Shared, sizes: Mapping[str, int], where: Address) -> None:
    """Hold what is there against ``shared.json``, before anything is fetched.

    Raises:
        InputError: a file is missing, has another size, or is in neither; or all are too large.
    """
    if shared.total > limit("download_bytes"):
        raise over_limit(where, f"has {shared.total:,} bytes", "download_bytes")
    for name, file in shared.files.items():
        if name not in sizes:
            raise InputError(f"{where}: '{name}' is in {SHARED} and not there; nothing was written")
        if sizes[name] != file.bytes:
            raise InputError(
                f"{where}: '{name}' has {sizes[name]:,} bytes, {SHARED} says {file.bytes:,}; nothing was written"
            )
    extra = next((name for name in sizes if name not in shared.files and name not in BESIDE), None)
    if extra is not None:
        raise InputError(f"{where}: holds '{extra:.200}', which is not in {SHARED}; nothing was written")


def _fetched(api: "HfApi", where: Address, commit: str) -> Path:
    """Fetch all files into the cache of ``huggingface_hub``, several at a time, and return their folder there."""
    return Path(
        api.snapshot_download(
            where.repo,
            repo_type=where.type,
            revision=commit,
            ignore_patterns=[name for name in BESIDE if name != SHARED],
        )
    )


def _copied(source: Path, target: Path, file: SharedFile) -> bool:
    """Copy a file out of the cache, as a plain one, and whether it is what was promised."""
    if not source.is_file() or source.stat().st_size != file.bytes:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with source.open("rb") as stream, naming(target), target.open("wb") as sink:
        while block := stream.read(BLOCK):
            digest.update(block)
            sink.write(block)
    return digest.hexdigest() == file.sha256
