"""From seeds to inputs: which file of an input is changed, and by what."""

import gzip
import warnings
from pathlib import PurePosixPath
from random import Random

from tests.fuzz.inputs import File, Input, Odd
from tests.fuzz.mutators.archives import ESCAPE, mutate_tar, mutate_zip
from tests.fuzz.mutators.arrays import mutate_npy, mutate_parquet, mutate_safetensors
from tests.fuzz.mutators.delimited import mutate_delimited
from tests.fuzz.mutators.images import mutate_header, mutate_png
from tests.fuzz.mutators.raw import Mutator, mutate_raw
from tests.fuzz.mutators.tree import mutate_json, mutate_json_lines, mutate_toml, mutate_yaml

BY_SUFFIX: dict[str, Mutator] = {
    **dict.fromkeys((".csv", ".tsv", ".inter", ".dat", ".data", ".item", ".genre", ".txt", ".ids"), mutate_delimited),
    **dict.fromkeys((".jsonl", ".ndjson"), mutate_json_lines),
    ".json": mutate_json,
    **dict.fromkeys((".yaml", ".set"), mutate_yaml),
    ".toml": mutate_toml,
    **dict.fromkeys((".parquet", ".pq"), mutate_parquet),
    ".npy": mutate_npy,
    ".safetensors": mutate_safetensors,
    **dict.fromkeys((".zip", ".pth"), mutate_zip),
    **dict.fromkeys((".tar", ".tgz", ".xz", ".bz2"), mutate_tar),
    ".png": mutate_png,
    **dict.fromkeys(
        (".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".jfif", ".ico"), mutate_header
    ),
}
LINKS = ("../outside.txt", "../outside", "/etc/passwd", "/dev/zero", "/dev/null", "nowhere", ".", "..", ESCAPE)
STRUCTURED, ODD = 0.65, 0.02


def make_input(seeds: list[Input], rng: Random) -> Input:
    """A seed with one to three changes."""
    with warnings.catch_warnings():  # what the libraries that write think of it
        warnings.simplefilter("ignore")
        return _changed(dict(rng.choice(seeds)), seeds, rng)


def _changed(files: Input, seeds: list[Input], rng: Random) -> Input:
    for _ in range(rng.choice((1, 1, 1, 1, 2, 3))):
        name = rng.choice(sorted(files))
        if rng.random() < ODD:
            _change_folder(files, name, rng)
        else:
            other = rng.choice(seeds)
            content, elsewhere = files[name], other.get(name) or rng.choice(list(other.values()))
            if isinstance(content, bytes):
                files[name] = mutate_file(name, content, elsewhere if isinstance(elsewhere, bytes) else b"", rng)
        if not files:
            break
    return files


def mutate_file(name: str, content: bytes, other: bytes, rng: Random) -> bytes:
    """Change one file, most often in a way that knows its format."""
    suffix = PurePosixPath(name).suffix.lower()
    if rng.random() < STRUCTURED:
        try:
            if suffix == ".gz" and not name.endswith(".tar.gz"):
                return gzip.compress(mutate_file(name[: -len(suffix)], gzip.decompress(content), b"", rng), 1, mtime=0)
            known = mutate_tar if name.endswith(".tar.gz") else BY_SUFFIX.get(suffix)
            if known is not None:
                return known(content, other, rng)
        except Exception:  # an earlier change broke it, or the library cannot write what was drawn
            pass
    return mutate_raw(content, other, rng)


def _change_folder(files: Input, name: str, rng: Random) -> None:
    """Take a file away, put something odd or another file in its place, or a new one beside it."""
    kind = rng.randrange(5)
    if kind == 0:
        del files[name]
    elif kind == 1:
        odd: File = rng.choice((Odd("folder"), Odd("fifo"), Odd("link", rng.choice(LINKS))))
        files[name] = odd
    elif kind == 2:
        files[name] = files[rng.choice(sorted(files))]
    elif kind == 3:
        files[
            str(
                PurePosixPath(name).with_name(
                    rng.choice(("x", "-", "é.json", "x" + PurePosixPath(name).suffix, ".hidden"))
                )
            )
        ] = files[name]
    else:
        files[name] = b""
