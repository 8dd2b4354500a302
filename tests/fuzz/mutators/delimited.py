"""Changes of delimited text: cells, separators, quotes, line ends, encodings, headers."""

from random import Random

CELLS = (
    "", " ", '"', '""', '"a', 'a"b', '"a\nb"', "'", "\x00", "\ufeff", "a,b", "a\tb", "a::b", "a|b", "a;b", "-1", "0",
    "1.5", "1e3", "1e309", "nan", "inf",
    "-inf", "NULL", "None", "NaN", "007", "1.0", " 1 ", "1_000", "0x10", "9" * 19, "9" * 40, "9223372036854775807",
    "2147483648", "x" * 9000,
    "2024-05-01", "2024-05-01T12:30:00.123456", "2024-05-01T12:30:00+99:00", "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59", "2024-02-30", "24:00",
    "1714566600.25", "1714566600123", "-9e18", "9.3e18", "train", "TEST", "2", "3", "-1", "true", "é", "\u0661",
    "\u202e", "a\u0301", "\x1b[31m",
    "[red]x[/red]", "..", "../x", "/x", "=1+1", "\r", "\x85", "\u2028", "\\", "\\N", "#", "٣", "１", "𝟗", "1\x000",
)  # fmt: skip
SEPARATORS = (",", "\t", ";", "|", "::", " ")
ENCODINGS = ("utf-16", "utf-8-sig", "utf-16-le", "utf-32", "cp1252", "latin-1")


def separator_of(content: bytes) -> str:
    """The separator of the first line."""
    first = content.split(b"\n", 1)[0].decode(errors="replace")
    return next((mark for mark in ("\t", "::", "|", ";") if mark in first), ",")


def mutate_delimited(content: bytes, other: bytes, rng: Random) -> bytes:
    """Change one thing."""
    text, mark = content.decode(), separator_of(content)
    lines = text.split("\n")
    place = rng.randrange(max(len(lines) - 1, 1))
    kind = rng.random()
    if kind < 0.5:
        cells = lines[place].split(mark)
        column = rng.randrange(len(cells))
        cells[column] = rng.choice(CELLS)
        lines[place] = mark.join(cells)
    elif kind < 0.58:
        cells = lines[place].split(mark)
        column = rng.randrange(len(cells))
        cells[column : column + 1] = [cells[column]] * rng.choice((0, 2, 3))
        lines[place] = mark.join(cells)
    elif kind < 0.66:
        lines.insert(
            place, rng.choice(("", " ", mark, mark * 3, '"', "#", "x", lines[place], lines[0], "\x00", "\ufeff"))
        )
    elif kind < 0.72:  # a whole column
        value = rng.choice(CELLS)
        column = rng.randrange(len(lines[0].split(mark)))
        for number, line in enumerate(lines):
            cells = line.split(mark)
            if number and column < len(cells):
                cells[column] = value
                lines[number] = mark.join(cells)
    elif kind < 0.78:
        text = text.replace("\n", rng.choice(("\r\n", "\r", "\n\n", "\n\r", "\x0b", "\u2028")))
        return text.encode()
    elif kind < 0.83:
        return text.replace(mark, rng.choice(SEPARATORS)).encode()
    elif kind < 0.88:
        return text.encode(rng.choice(ENCODINGS), errors="replace")
    elif kind < 0.92:
        lines = lines[:1] if rng.random() < 0.5 else lines[1:]
    elif kind < 0.96:
        return text.rstrip("\n").encode()
    else:
        rng.shuffle(lines)
    return "\n".join(lines).encode(errors="surrogatepass")
