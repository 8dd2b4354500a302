"""Changes of bytes that know nothing of the format."""

import struct
from collections.abc import Callable
from random import Random

INTEGERS = (
    0,
    1,
    2,
    7,
    16,
    127,
    128,
    255,
    256,
    32767,
    32768,
    65535,
    2**24,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63 - 1,
    2**64 - 1,
)
TOKENS = (
    b"\x00", b"\n", b"\r", b"\r\n", b"\t", b'"', b"'", b",", b";", b"|", b"::", b"\\", b"\xef\xbb\xbf", b"\xff\xfe",
    b"\xc3", b"\xed\xa0\x80", b"\x1b[31m", b"\xe2\x80\xa8", b"\x85", b"\x1a", b"NaN", b"-1", b"1e999", b"../", b"{",
    b"[",
)  # fmt: skip

Mutator = Callable[[bytes, bytes, Random], bytes]
"""From the content, the content of another input and the generator to the changed content."""


def _span(content: bytes, rng: Random, longest: int = 64) -> tuple[int, int]:
    start = rng.randrange(len(content) + 1)
    return start, min(len(content), start + rng.randint(1, longest))


def flip_bit(content: bytes, other: bytes, rng: Random) -> bytes:
    if not content:
        return b"\x00"
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def set_bytes(content: bytes, other: bytes, rng: Random) -> bytes:
    start, stop = _span(content, rng, 8)
    return (
        content[:start] + bytes(rng.choice((0, 255, rng.randrange(256))) for _ in range(stop - start)) + content[stop:]
    )


def insert(content: bytes, other: bytes, rng: Random) -> bytes:
    place = rng.randrange(len(content) + 1)
    new = rng.choice(TOKENS) if rng.random() < 0.6 else rng.randbytes(rng.randint(1, 32))
    return content[:place] + new * rng.choice((1, 1, 1, 3, 200)) + content[place:]


def delete(content: bytes, other: bytes, rng: Random) -> bytes:
    start, stop = _span(content, rng)
    return content[:start] + content[stop:]


def duplicate(content: bytes, other: bytes, rng: Random) -> bytes:
    start, stop = _span(content, rng, 256)
    return content[:stop] + content[start:stop] * rng.choice((1, 1, 2, 50)) + content[stop:]


def truncate(content: bytes, other: bytes, rng: Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def append(content: bytes, other: bytes, rng: Random) -> bytes:
    return content + rng.choice((rng.randbytes(rng.randint(1, 64)), b"\x00" * 512, content, other))


def integer(content: bytes, other: bytes, rng: Random) -> bytes:
    number, size = rng.choice(INTEGERS), rng.choice((1, 2, 4, 8))
    packed = struct.pack(rng.choice("<>") + "Q", number & (256**size - 1))
    part = packed[:size] if packed[:1] != b"\x00" or number == 0 else packed[-size:]
    # headers are at the start, and of parquet and zip at the end
    reach = min(len(content), rng.choice((16, 64, 256, len(content) + 1)))
    place = rng.randrange(reach + 1)
    place = place if rng.random() < 0.7 else max(len(content) - place, 0)
    return content[:place] + part + content[place + size :]


def splice(content: bytes, other: bytes, rng: Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)] + other[rng.randrange(len(other) + 1) :]


def swap(content: bytes, other: bytes, rng: Random) -> bytes:
    a, b = _span(content, rng)
    c, d = _span(content[b:], rng)
    return content[:a] + content[b + c : b + d] + content[b : b + c] + content[a:b] + content[b + d :]


def blank(content: bytes, other: bytes, rng: Random) -> bytes:
    return rng.choice((b"", b"\n", b" ", b"\x00" * 100, other))


RAW: tuple[Mutator, ...] = (
    flip_bit, flip_bit, set_bytes, insert, delete, duplicate, truncate, append, integer, integer, splice, swap, blank,
)  # fmt: skip


def mutate_raw(content: bytes, other: bytes, rng: Random) -> bytes:
    """One random change."""
    return rng.choice(RAW)(content, other, rng)
