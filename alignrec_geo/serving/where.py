"""A condition on the columns of the table of items, written as in SQL."""

import re
from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alignrec_geo.errors import InputError
from alignrec_geo.reading import first_line

LONGEST = 10_000
"""Characters of a condition."""
MOST_OPERATORS = 200
"""Comparisons, ``and``, ``or`` and so on: what polars needs for a chain grows with the third power of its length."""
KEYWORDS = ("and", "or", "not", "in", "is", "null", "like", "ilike", "between", "true", "false", "date")
FUNCTIONS = ("abs", "ceil", "coalesce", "ends_with", "floor", "length", "lower", "round", "starts_with", "upper")
OPERATORS = "<>=!+-*/%"
TOKENS = re.compile(
    r"""(?P<space>\s+)
    |(?P<text>'(?:[^']|'')*')
    |(?P<quoted>"(?:[^"]|"")*")
    |(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?!\w))
    |(?P<word>[^\W\d]\w*(?:\.\w+)*)
    |(?P<comment>--|/\*)
    |(?P<mark><=|>=|<>|!=|==|[=<>+\-*/%(),])""",
    re.VERBOSE,
)
_KEPT = "\0kept"


def matching(items: pl.DataFrame, where: str) -> NDArray[np.bool_]:
    """Return for which items a condition is true, ``[n]``; where a column is null, it is not.

    The condition is taken apart here before polars sees it: columns of the table (in double quotes if they are no plain
    words), numbers, texts in single quotes,
    comparisons, ``and or not in is null like ilike between``, arithmetic, and a few functions of a value
    (:data:`FUNCTIONS`). Nothing in it can name a table, a file or a query. A name in double quotes that is no column is
    a text, as SQLite has it.

    Args:
        items: one row per item.
        where: the condition.

    Raises:
        InputError: it is no such condition, or names a column that is not there; the message lists the columns.

    Example:
        >>> items = pl.DataFrame({"category": ["Toys", "Books", None], "price": [12.0, 9.0, 5.0]})
        >>> matching(items, 'category = "Toys" and price < 20').tolist()
        [True, False, False]
        >>> matching(items, "colour = 'red'")
        Traceback (most recent call last):
        alignrec_geo.errors.InputError: where: no column 'colour'; there are: category, price
    """
    given: object = where
    if not isinstance(given, str) or not where.strip() or len(where) > LONGEST:
        raise InputError(f"where: a condition of at most {LONGEST} characters is needed (got {given!r:.80})")
    tokens = list(_rewritten(where, items.columns))
    text = " ".join(tokens)
    operators = sum(token.lower() in KEYWORDS or token[0] in OPERATORS for token in tokens)
    if operators > MOST_OPERATORS:
        raise InputError(
            f"where: has {operators} operators, {MOST_OPERATORS} are taken; many values are compared by in (…), many "
            "ids are listed by only_items="
        )
    try:
        found = items.select(pl.all(), pl.sql_expr(text).alias(_KEPT))[_KEPT]
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        said = str(error).strip().partition("\n")[0]
        kinds = [f"{name} holds {kind}" for name, kind in items.schema.items() if quoted(name) in tokens]
        told = "; ".join([first_line(ValueError(said)), *kinds])
        raise InputError(f"where: not a condition on the items ({told})") from None
    if found.dtype != pl.Boolean:
        raise InputError(f"where: must be true or false for each item (got {found.dtype} from {where!r:.80})")
    kept: NDArray[np.bool_] = found.fill_null(False).to_numpy()
    return kept


def quoted(name: str) -> str:
    """The name of a column as SQL has it.

    Example:
        >>> print(quoted('5" disk'))
        "5"" disk"
    """
    return '"' + name.replace('"', '""') + '"'


def _rewritten(where: str, columns: list[str]) -> Iterator[str]:
    """The condition with every column in double quotes and every text in single ones."""
    place = depth = 0
    while place < len(where):
        found = TOKENS.match(where, place)
        if found is None or found.lastgroup == "comment":
            raise InputError(f"where: cannot be read from {where[place : place + 20]!r} on")
        place, kind, token = found.end(), found.lastgroup, found.group()
        if kind == "word":
            yield _word(token, where[place:].lstrip().startswith("("), columns)
        elif kind == "quoted":
            name = token[1:-1].replace('""', '"')
            yield token if name in columns else "'" + name.replace("'", "''") + "'"
        elif kind != "space":
            depth += (token == "(") - (token == ")")
            if token == "," and depth < 1:  # else a second condition, of which polars may say nothing
                raise InputError(f"where: cannot be read from {where[place - 1 : place + 19]!r} on")
            yield "=" if token == "==" else token


def _word(word: str, called: bool, columns: list[str]) -> str:
    if called and word.lower() not in KEYWORDS:
        if word.lower() not in FUNCTIONS:
            raise InputError(f"where: no function '{word}'; there are: {', '.join(FUNCTIONS)}")
        return word
    if word in columns:
        return quoted(word)
    if word.lower() in KEYWORDS:
        return word
    raise InputError(f"where: no column '{word}'; there are: {', '.join(columns)}")
