"""How much memory an import may take, and what it needs."""

import re

from alignrec_geo.errors import InputError

OWN = 1_000_000_000
"""Bytes of this process beside the database: the libraries, and the rows that are being read."""
LEAST = 1_500_000_000
"""Bytes that any import needs."""
PER_ROW = {
    "given": 0,
    "all-train": 0,
    "random": 22,
    "leave-last": 34,
    "global-time": 30,
    "cold-items": 14,
    "cold-users": 34,
}
"""Bytes for each interaction while the split is drawn, by rule."""

_UNITS = {
    "": 1,
    "K": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "Ki": 1 << 10,
    "Mi": 1 << 20,
    "Gi": 1 << 30,
    "Ti": 1 << 40,
}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]i?)?B?\s*", re.IGNORECASE)


def parse_memory(text: str) -> int:
    """A size in bytes from what people write.

    Raises:
        InputError: it is no size, or less than any import needs.

    Example:
        >>> parse_memory("4GB"), parse_memory("1.5 GiB")
        (4000000000, 1610612736)
    """
    found = _SIZE.fullmatch(text)
    if found is None:
        raise InputError(f"memory= takes a size such as 4GB or 900MB (got {text!r:.80})")
    unit = (found[2] or "").capitalize()
    size = int(float(found[1]) * _UNITS[unit])
    if size < LEAST:
        raise InputError(f"memory='{text}' is too little: any import takes {gigabytes(LEAST)}")
    return size


def check_split_fits(memory: int, rows: int, rule: str) -> None:
    """Refuse a memory in which the split of so many interactions cannot be drawn.

    Raises:
        InputError: it is too little; the message says what is needed.
    """
    needed = OWN + PER_ROW[rule] * rows
    if needed > memory:
        raise InputError(
            f"memory='{gigabytes(memory)}' is too little: to split {rows:,} interactions by the rule '{rule}' takes "
            f"{gigabytes(needed)}; the rules given and all-train take no more for more of them"
        )


def gigabytes(size: float) -> str:
    """A size as people write it, rounded up.

    Example:
        >>> gigabytes(2_950_000_001)
        '3.0GB'
    """
    return f"{-(-size // 100_000_000) / 10:.1f}GB"
