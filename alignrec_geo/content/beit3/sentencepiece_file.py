"""The pieces of a sentencepiece model file, read without the sentencepiece library."""

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from alignrec_geo.errors import InputError
from alignrec_geo.reading import check_plain_file, reading

UNKNOWN, CONTROL = 2, 3
"""Types of pieces that are no text."""

KIND = "sentencepiece model"

_UNIGRAM = 1
_LONGEST_VARINT = 70
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class Piece(NamedTuple):
    """One piece of the vocabulary."""

    text: str
    score: float
    """Its log-probability."""
    kind: int
    """1 is text; see :data:`UNKNOWN` and :data:`CONTROL`."""


class SentencepieceFile(NamedTuple):
    """What a tokenizer needs of a model file."""

    pieces: list[Piece]
    character_map: bytes
    """Normalisation of characters, compiled; empty if there is none."""


def read_sentencepiece(path: Path) -> SentencepieceFile:
    """Read a unigram model (``*.spm``, ``*.model``).

    The file is a protocol buffer: pieces are field 1 (text 1, score 2, type 3), the trainer's settings field 2 (model
    type 3), the normaliser field 3 (compiled character map 2).

    Raises:
        InputError: the file is missing, truncated, no sentencepiece model, or not of the unigram type.
    """
    check_plain_file(path, KIND)
    pieces, character_map, model_type = [], b"", _UNIGRAM
    with reading(path, KIND):
        for number, value in _fields(path.read_bytes()):
            if number == 1 and isinstance(value, bytes):
                pieces.append(_piece(value))
            elif number == 2 and isinstance(value, bytes):
                model_type = next((v for n, v in _fields(value) if n == 3 and isinstance(v, int)), _UNIGRAM)
            elif number == 3 and isinstance(value, bytes):
                character_map = next((v for n, v in _fields(value) if n == 2 and isinstance(v, bytes)), b"")
    if not pieces:
        raise InputError(f"{path}: not a sentencepiece model: there are no pieces in it")
    if model_type != _UNIGRAM:
        raise InputError(f"{path}: must be a unigram model, type 1 (got type {model_type})")
    return SentencepieceFile(pieces, character_map)


def _piece(blob: bytes) -> Piece:
    text, score, kind = "", 0.0, 1
    for number, value in _fields(blob):
        if number == 1 and isinstance(value, bytes):
            text = value.decode("utf-8")
        elif number == 2 and isinstance(value, float):
            score = value
        elif number == 3 and isinstance(value, int):
            kind = value
    if not math.isfinite(score):
        raise ValueError(f"the score of '{text}' is {score}")
    return Piece(text, score, kind)


def _fields(blob: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """Yield number and value of every field of a protocol-buffer message; fixed 64-bit ones are skipped."""
    place = 0
    while place < len(blob):
        key, place = _varint(blob, place)
        wire = key & 7
        if wire == _VARINT:
            value, place = _varint(blob, place)
            yield key >> 3, value
        elif wire == _BYTES:
            length, place = _varint(blob, place)
            if place + length > len(blob):
                raise ValueError("cut off")
            yield key >> 3, blob[place : place + length]
            place += length
        elif wire == _FIXED32:
            yield key >> 3, struct.unpack_from("<f", blob, place)[0]
            place += 4
        elif wire == _FIXED64:
            place += 8
        else:
            raise ValueError(f"wire type {wire}")


def _varint(blob: bytes, place: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = blob[place]
        value |= (byte & 0x7F) << shift
        place += 1
        if byte < 0x80:
            return value, place
        shift += 7
        if shift >= _LONGEST_VARINT:
            raise ValueError("a number of more than 64 bits")
