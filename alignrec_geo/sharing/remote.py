"""What a repository of the Hub holds, before anything of it is fetched or replaced."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alignrec_geo.errors import InputError
from alignrec_geo.sharing.address import Address
from alignrec_geo.sharing.manifest import SHARED, Shared, read_shared

if TYPE_CHECKING:
    from huggingface_hub import HfApi

CARD = "README.md"
BESIDE = (CARD, SHARED, ".gitattributes", "LICENSE", "LICENSE.md", "LICENSE.txt")
"""Files beside those of ``shared.json`` that a repository may hold; none is fetched with the others."""
LARGEST_CARD = 10 << 20


@dataclass(frozen=True)
class Remote:
    """What is there.

    Args:
        commit: its commit.
        private: whether only its owner sees it.
        files: paths of what ``push`` sent before.
        card: the card, ``None`` without one.
    """

    commit: str
    private: bool
    files: set[str]
    card: str | None


def read_remote(api: "HfApi", where: Address, private: bool) -> Remote:
    """Look at a repository that is to be written.

    Raises:
        InputError: it holds files that ``push`` did not send.
    """
    commit, sizes = listing(api, where)
    before = set(fetch_shared(api, where, commit, sizes).files) if SHARED in sizes else set()
    foreign = [path for path in sizes if path not in before and path not in BESIDE]
    if foreign:
        raise InputError(
            f"{where}: holds '{foreign[0]:.200}', which did not come from 'alignrec-geo push'; name another address"
        )
    text = None
    if CARD in sizes:
        if sizes[CARD] > LARGEST_CARD:
            raise InputError(f"{where}: its {CARD} has {sizes[CARD]:,} bytes; at most {LARGEST_CARD:,} are read")
        text = fetch_file(api, where, commit, CARD).read_text(encoding="utf-8", errors="replace")
    return Remote(commit, private, before & set(sizes), text)


def listing(api: "HfApi", where: Address) -> tuple[str, dict[str, int]]:
    """The commit that an address stands for, and the bytes of every file there."""
    info = api.repo_info(where.repo, repo_type=where.type, revision=where.revision)
    entries = api.list_repo_tree(where.repo, recursive=True, revision=info.sha, repo_type=where.type)
    return str(info.sha), {entry.path: entry.size for entry in entries if hasattr(entry, "size")}


def fetch_shared(api: "HfApi", where: Address, commit: str, sizes: dict[str, int]) -> Shared:
    """Fetch and read ``shared.json``.

    Raises:
        InputError: there is none, or it cannot be used.
    """
    if SHARED not in sizes:
        raise InputError(f"{where}: has no {SHARED}: it did not come from 'alignrec-geo push'")
    return read_shared(fetch_file(api, where, commit, SHARED), where)


def fetch_file(api: "HfApi", where: Address, commit: str, path: str, again: bool = False) -> Path:
    """Fetch one file into the cache of ``huggingface_hub``; ``again`` also if it is there."""
    found = api.hf_hub_download(where.repo, path, repo_type=where.type, revision=commit, force_download=again)
    return Path(found)
