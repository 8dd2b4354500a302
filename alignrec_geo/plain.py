"""Text of the data as a terminal or a page may show it: no control characters, nothing that turns text around."""

import re

SPACES = re.compile(r"[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")
"""What starts another line or jumps: shown as one space."""
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""C0 and C1 controls, bidirectional embeddings, overrides and isolates, and what is no character (half a pair)."""


def printable(text: object) -> str:
    r"""Return a text on one line that a terminal prints as it is: control characters become escapes.

    Titles, ids and paths may hold anything, also what clears the screen, renames the window or turns the rest of the
    line around. Letters of every script, wide ones and emoji stay.

    Example:
        >>> printable("Mug\x1b[2J \u202e(red)"), printable("two\r\nlines"), printable("קפה ☕")
        ('Mug\\x1b[2J \\u202e(red)', 'two lines', 'קפה ☕')
    """
    return CONTROLS.sub(_escaped, SPACES.sub(" ", str(text)))


def _escaped(found: re.Match[str]) -> str:
    return found.group().encode("unicode_escape", "surrogatepass").decode("ascii")
