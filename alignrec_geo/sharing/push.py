"""Send a run, a data set or features of items to the Hugging Face Hub: one commit, or nothing."""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alignrec_geo.errors import InputError
from alignrec_geo.reading import as_path
from alignrec_geo.sharing.address import Address
from alignrec_geo.sharing.card import card
from alignrec_geo.sharing.hub import asking, open_hub
from alignrec_geo.sharing.kinds import REPO_TYPES
from alignrec_geo.sharing.manifest import SHARED
from alignrec_geo.sharing.package import Choice, Package, make_package
from alignrec_geo.sharing.remote import CARD, Remote, read_remote

if TYPE_CHECKING:
    from huggingface_hub import HfApi


@dataclass(frozen=True)
class Pushed:
    """What was sent, or is to be.

    Args:
        address: with its type.
        kind: ``run``, ``data set`` or ``features``.
        told: what leaves the machine, in one line.
        files: bytes of every file by path, the card and ``shared.json`` aside.
        commit: its address; ``None`` where nothing was sent.
        private: whether only its owner sees it; ``None`` where nothing was sent.
    """

    address: str
    kind: str
    told: str
    files: dict[str, int]
    commit: str | None = None
    private: bool | None = None


def push(
    path: str | PathLike[str],
    address: str,
    *,
    public: bool = False,
    tag: str | None = None,
    message: str | None = None,
    license: str | None = None,
    without_users: bool = False,
    without_images: bool = False,
    slim: bool = False,
    dry_run: bool = False,
    token: str | None = None,
    endpoint: str | None = None,
) -> Pushed:
    """Send a folder to the Hub, with a card and a ``shared.json`` that :func:`~alignrec_geo.sharing.pull` checks.

    The repository is made if there is none, private unless ``public``. One that is there must have come from ``push``,
    or be empty; files that are gone here go there too, and the text that people wrote on its card stays.

    Args:
        path: folder of a run or a data set.
        address: ``OWNER/NAME``; with ``@BRANCH``, a branch, which is made if there is none.
        public: anybody may read it. Without this, a public repository gets nothing that has users in it.
        tag: a name for this state, ``v1`` for example.
        message: of the commit.
        license: SPDX name, for the card.
        without_users: no ids of users, no interactions, no vectors of users: of a run, what ``similar`` and baskets
            need; of a data set, its features.
        without_images: of a data set, no images.
        slim: of a run, not the optimiser's state, which only resuming needs.
        dry_run: say what would be sent, and ask nobody.
        token: instead of ``HF_TOKEN`` and of what ``hf auth login`` keeps.
        endpoint: instead of ``HF_ENDPOINT``.

    Raises:
        InputError: the folder cannot be shared, the address cannot be written, or ``huggingface_hub`` is missing.
        FetchError: the Hub cannot be reached, or the transfer broke off; nothing there has changed.

    Example:
        >>> push("runs/shop", "me/shop", dry_run=True).told  # doctest: +SKIP
        '11 files, 4.2 MB, among them the ids of 1,000 users and their 12,000 interactions'
    """
    where = Address.parse(address)
    folder = as_path(path)
    choice = Choice(without_users, without_images, slim)
    with _packed(folder, choice, license) as package:
        kind = package.shared.kind
        if where.type not in (None, REPO_TYPES[kind]):
            raise InputError(
                f"{address}: a {kind} goes into a {REPO_TYPES[kind]} repository: leave out '{where.type}s/'"
            )
        where = Address(where.repo, REPO_TYPES[kind], where.revision)
        plan = Pushed(str(where), kind, package.told, {path: file.bytes for path, file in package.shared.files.items()})
        if dry_run:
            card(package, str(where), license=license)  # what cannot be described is refused now
            return plan
        api = open_hub(token, endpoint)
        with asking(where, api.endpoint):
            remote = _prepared(api, where, package, public)
            commit = _commit(api, where, package, remote, message, license)
            if tag is not None:
                api.create_tag(where.repo, tag=tag, revision=commit.oid, repo_type=where.type)
        return Pushed(**{**vars(plan), "commit": commit.commit_url, "private": remote.private})


@contextmanager
def _packed(folder: Path, choice: Choice, license: str | None) -> Iterator[Package]:
    with tempfile.TemporaryDirectory(prefix="alignrec-geo-push-") as staging:
        yield make_package(folder, Path(staging), choice, license)


def _prepared(api: "HfApi", where: Address, package: Package, public: bool) -> Remote:
    """Make what is missing there, and look at what is there.

    Raises:
        InputError: it is somebody's other repository, or public while this is not to be.
    """
    api.create_repo(where.repo, repo_type=where.type, private=not public, exist_ok=True)
    private = bool(api.repo_info(where.repo, repo_type=where.type).private)
    if not private and not public and package.users:
        raise InputError(
            f"{where}: is public, and {package.users:,} users' ids and interactions would be; pass public=True if they "
            "may be, without_users=True, or another address. Nothing was sent"
        )
    if where.revision is not None:
        api.create_branch(where.repo, branch=where.revision, repo_type=where.type, exist_ok=True)
    return read_remote(api, where, private)


def _commit(
    api: "HfApi", where: Address, package: Package, remote: Remote, message: str | None, license: str | None
) -> Any:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    described = card(package, str(Address(where.repo, where.type, where.revision)), remote.card, license)
    added: dict[str, Any] = {path: str(file) for path, file in package.files.items()}
    added |= {CARD: described.encode(), SHARED: package.shared.text().encode()}
    gone = sorted(remote.files - set(added))
    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        *(CommitOperationAdd(path_in_repo=path, path_or_fileobj=source) for path, source in added.items()),
        *(CommitOperationDelete(path_in_repo=path, is_folder=False) for path in gone),
    ]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*commit a data file.*")  # tables of a run belong there
        return api.create_commit(
            where.repo,
            operations,
            commit_message=message or f"{package.shared.kind} {package.shared.name}: alignrec-geo push",
            repo_type=where.type,
            revision=where.revision,
            parent_commit=remote.commit,  # somebody who pushes at the same time is not overwritten
        )
