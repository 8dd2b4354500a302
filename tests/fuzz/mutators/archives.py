"""Changes of zip and tar files: other names, kinds, sizes and flags of their members."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
from random import Random

ESCAPE = "/dev/shm/alignrec-fuzz-escape"
"""A place that no archive may write to."""
NAMES = (
    "../escape.png", "a/../../escape.png", "/escape.png", ESCAPE, ESCAPE + "/x.png", "..\\escape.png",
    "C:\\escape.png", "C:escape.png", "\\\\host\\share", "", ".",
    "./", "..", "a//b.png", "./mug.png", "mug.png", "MUG.PNG", "mug.png/", "mug.png/x", "a" * 300 + ".png",
    "/".join(["d"] * 500) + ".png", "\x00.png", "a\nb.png",
    "\x1b[31m.png", "é.png", "\u202egnp.png", "con.png", "a:b.png", " .png", ".png", "mug.PNG", "mug.jpeg", "pen.png",
    "[red].png", "~/x.png", "-rf.png",
)  # fmt: skip


def mutate_zip(content: bytes, other: bytes, rng: Random) -> bytes:
    """Write the archive again with one member changed, or change one number of its directory."""
    members = [
        (member, opened.read(member))
        for opened in [zipfile.ZipFile(io.BytesIO(content))]
        for member in opened.infolist()
    ]
    place = rng.randrange(len(members))
    member, data = members[place]
    sink = io.BytesIO()
    kind = rng.random()
    if kind < 0.4:
        member.filename = rng.choice(NAMES)
    elif kind < 0.55:
        member.create_system = rng.choice((0, 3))
        member.external_attr = (
            rng.choice((0o120777, 0o010644, 0o020644, 0o060644, 0o040755, 0o140755, 0o104755, 0)) << 16
        )
        data = rng.choice((b"../../escape", b"/etc/passwd", data))
    elif kind < 0.65:
        members.insert(place, (member, data))
    elif kind < 0.72:
        data = rng.choice((b"", b"\x00" * 5_000_000, b"x" * 70000, data[: len(data) // 2]))
    with zipfile.ZipFile(sink, "w") as opened:
        for number, (info, part) in enumerate(members):
            info.compress_type = rng.choice(
                (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
            )
            opened.writestr(info, data if number == place else part)
        if rng.random() < 0.1:
            opened.comment = rng.choice((b"x", b"PK\x05\x06" + b"\x00" * 18))
    made = bytearray(sink.getvalue())
    if kind > 0.72:  # flags, method, sizes and offsets of a directory entry or a local header
        marks = [at for mark in (b"PK\x01\x02", b"PK\x03\x04") for at in _found(bytes(made), mark)]
        at = rng.choice(marks)
        offset = rng.choice((6, 8, 10, 14, 18, 20, 22, 24, 26, 28, 30, 42))
        size = rng.choice((2, 4))
        made[at + offset : at + offset + size] = struct.pack(
            "<I", rng.choice((0, 1, 9, 99, 0x800, 0x841, 0xFFFF, 2**31, 2**32 - 1))
        )[:size]
    return bytes(made)


def _found(content: bytes, mark: bytes) -> list[int]:
    found, at = [], content.find(mark)
    while at >= 0:
        found.append(at)
        at = content.find(mark, at + 1)
    return found


def mutate_tar(content: bytes, other: bytes, rng: Random) -> bytes:
    """Write the archive again with one member changed, or change its header and make the sum right."""
    packed = packing(content)
    content = unpacked(content)
    members = []
    with tarfile.open(fileobj=io.BytesIO(content)) as opened:
        for member in opened:
            stream = opened.extractfile(member) if member.isfile() else None
            members.append((member, b"" if stream is None else stream.read()))
    place = rng.randrange(len(members))
    member, data = members[place]
    kind = rng.random()
    if kind < 0.35:
        member.name = rng.choice(NAMES)
    elif kind < 0.55:
        member.type = rng.choice(
            (
                tarfile.SYMTYPE,
                tarfile.LNKTYPE,
                tarfile.FIFOTYPE,
                tarfile.CHRTYPE,
                tarfile.BLKTYPE,
                tarfile.DIRTYPE,
                tarfile.CONTTYPE,
                b"Z",
                b"S",
                b"\x00",
            )
        )
        member.linkname = rng.choice(("../../escape", "/etc/passwd", "mug.png", member.name, "", "nowhere"))
    elif kind < 0.62:
        members.insert(place, (member, data))
    elif kind < 0.7:
        member.pax_headers = rng.choice(
            ({"size": "-1"}, {"size": "99999999999"}, {"size": "x"}, {"mtime": "nan"}, {"mtime": "x"},
            {"path": "../escape.png"}, {"path": ""}, {"path": ESCAPE},
             {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "99999999999",
             "GNU.sparse.name": "mug.png"},
             {"GNU.sparse.map": "0,1,x"}, {"GNU.sparse.size": "99999999999", "GNU.sparse.map": "0,1"},
             {"hdrcharset": "BINARY"}, {"linkpath": "x"}, {"uid": "x"})
        )  # fmt: skip
    elif kind < 0.76:
        data = rng.choice((b"", b"\x00" * 5_000_000, b"x" * 513, data[: len(data) // 2]))
    layout = rng.choice((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=layout) as opened:
        for number, (info, part) in enumerate(members):
            body = data if number == place else part
            info.size = len(body) if info.isfile() else 0
            opened.addfile(info, io.BytesIO(body) if info.isfile() else None)
    made = bytearray(sink.getvalue())
    if kind > 0.76:
        header = rng.choice([at for at in range(0, len(made), 512) if made[at + 257 : at + 262] == b"ustar"] or [0])
        offset, size = rng.choice(
            ((0, 100), (100, 8), (124, 12), (136, 12), (156, 1), (157, 100), (329, 8), (345, 155))
        )
        made[header + offset : header + offset + size] = rng.choice(
            (
                b"\xff" * size,
                b"\x00" * size,
                b"7" * size,
                b"\x80" + b"\x00" * (size - 2) + b"\x09",
                b"-" * size,
                b" " * size,
            )
        )[:size].ljust(size, b"\x00")
        made[header + 148 : header + 156] = b" " * 8
        made[header + 148 : header + 156] = b"%06o\x00 " % sum(made[header : header + 512])
    return packed(bytes(made))


def unpacked(content: bytes) -> bytes:
    """The tar file inside a compressed one."""
    if content[:2] == b"\x1f\x8b":
        return gzip.decompress(content)
    if content[:5] == b"\xfd7zXZ":
        return lzma.decompress(content)
    return bz2.decompress(content) if content[:3] == b"BZh" else content


def packing(content: bytes):
    """The function that compresses as ``content`` is compressed."""
    if content[:2] == b"\x1f\x8b":
        return lambda made: gzip.compress(made, 1, mtime=0)
    if content[:5] == b"\xfd7zXZ":
        return lambda made: lzma.compress(made, preset=0)
    return (lambda made: bz2.compress(made, 1)) if content[:3] == b"BZh" else lambda made: made
