"""Changes of images: the numbers of their headers, with PNG's sums made right again."""

import struct
import zlib
from random import Random

SIDES = (0, 1, 7, 255, 256, 4096, 20000, 65535, 2**20, 2**31 - 1, 2**31, 2**32 - 1)


def mutate_png(content: bytes, other: bytes, rng: Random) -> bytes:
    """Change, leave out, repeat or add a chunk."""
    chunks, place = [], 8
    while place + 12 <= len(content):
        (size,) = struct.unpack(">I", content[place : place + 4])
        chunks.append([content[place + 4 : place + 8], content[place + 8 : place + 8 + size]])
        place += 12 + size
    kind = rng.random()
    if kind < 0.45:
        head = list(struct.unpack(">IIBBBBB", chunks[0][1][:13]))
        for _ in range(rng.choice((1, 1, 2))):
            field = rng.randrange(7)
            head[field] = rng.choice(SIDES) if field < 2 else rng.choice((0, 1, 2, 3, 4, 6, 8, 16, 255))
        chunks[0][1] = struct.pack(">IIBBBBB", *head)
    elif kind < 0.6:
        number = rng.randrange(len(chunks))
        chunks[number : number + 1] = [chunks[number]] * rng.choice((0, 2))
    elif kind < 0.85:
        name = rng.choice(
            (
                b"PLTE",
                b"tRNS",
                b"iCCP",
                b"gAMA",
                b"sRGB",
                b"zTXt",
                b"iTXt",
                b"tEXt",
                b"eXIf",
                b"acTL",
                b"fcTL",
                b"fdAT",
                b"pHYs",
                b"abcd",
                b"ABCD",
                b"CgBI",
            )
        )
        body = rng.choice(
            (
                b"",
                b"\x00" * 3,
                b"x\x00\x00" + zlib.compress(b"\x00" * 3_000_000),
                rng.randbytes(26),
                b"\xff" * 768,
                b"Exif\x00\x00II*\x00",
                struct.pack(">II", 2**31, 0),
            )
        )
        chunks.insert(rng.randrange(1, len(chunks) + 1), [name, body])
    else:
        number = rng.randrange(len(chunks))
        body = bytearray(chunks[number][1] or b"\x00")
        body[rng.randrange(len(body))] ^= 1 << rng.randrange(8)
        chunks[number][1] = bytes(body)
    parts = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    ]
    return content[:8] + b"".join(parts)


def mutate_header(content: bytes, other: bytes, rng: Random) -> bytes:
    """Put an interesting number into the first 256 bytes."""
    place, size, order = (
        rng.randrange(min(len(content), rng.choice((32, 64, 256)))),
        rng.choice((1, 2, 4)),
        rng.choice("<>"),
    )
    number = struct.pack(f"{order}I", rng.choice(SIDES))
    part = number[:size] if order == "<" else number[-size:]
    return content[:place] + part + content[place + size :]
