"""JSON lines as columns: nested fields by dotted path, one object a line, ragged objects allowed."""

import codecs
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from alignrec_geo.dataset.readers.rows import Table, shown
from alignrec_geo.errors import InputError
from alignrec_geo.limits import limit, over_limit
from alignrec_geo.reading import first_line

UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def json_table(lines: Iterable[bytes], label: str, columns: Sequence[str] | None = None) -> Table:
    """Read columns from JSON lines; an object without a field has null there, blank lines are left out.

    Args:
        lines: the lines of the file.
        label: the file, for errors.
        columns: field names or dotted paths (``omdb.Plot``); ``None`` takes every field of the top level.

    Returns:
        The columns and the line number of every row.

    Raises:
        InputError: a line is not a JSON object, or there is none.

    Example:
        >>> lines = [b'{"id": 1, "about": {"plot": "A toy."}}']
        >>> json_table(lines, "movies", ["id", "about.plot"]).frame.to_dicts()
        [{'id': 1, 'about.plot': 'A toy.'}]
    """
    wanted = None if columns is None else list(dict.fromkeys(columns))
    values: dict[str, list[Any]] = {name: [] for name in wanted or ()}
    fields: dict[str, None] = {}
    numbers: list[int] = []
    for number, line in enumerate(lines, start=1):
        if number == 1:
            if line.startswith(UTF16_MARKS):
                raise InputError(f"{label}: is UTF-16 text; save it as UTF-8")
            line = line.removeprefix(codecs.BOM_UTF8)
        if not line.strip():
            continue
        record = _object(line, number, label)
        for name in record if wanted is None else ():
            values.setdefault(name, [None] * len(numbers))
        for name, column in values.items():
            column.append(record.get(name) if wanted is None else reach(record, name))
        numbers.append(number)
        fields.update(dict.fromkeys(_paths(record)) if len(numbers) <= 1000 else ())
    if not numbers:
        raise InputError(f"{label}: is empty")
    for name, column in values.items():
        if wanted is not None and all(value is None for value in column) and name not in fields:
            known = ", ".join(map(shown, list(fields)[:40]))
            raise InputError(f"{label}: no column '{name}'; there are: {known}")
    frame = pl.DataFrame([json_series(name, column) for name, column in values.items()])
    nested = [name for name, column in values.items() if any(isinstance(value, dict | list) for value in column)]
    return Table(frame, label, np.array(numbers, dtype=np.int64), nested=nested)


def reach(record: Mapping[str, Any], path: str) -> Any:
    """Return the field at a dotted path, ``None`` where it does not lead anywhere.

    Example:
        >>> reach({"a": {"b": 1}, "c.d": 2}, "a.b"), reach({"a": {"b": 1}, "c.d": 2}, "c.d"), reach({}, "a.b")
        (1, 2, None)
    """
    if path in record:
        return record[path]
    head, _, rest = path.partition(".")
    inner = record.get(head)
    return reach(inner, rest) if rest and isinstance(inner, dict) else None


def json_series(name: str, values: list[Any]) -> pl.Series:
    """One column from values of any JSON type: numbers, truths or lists where all are, otherwise text.

    Whole numbers that a float would round stay exact, as text if need be.
    """
    kinds = {type(value) for value in values if value is not None}
    if kinds and kinds <= {int, float}:
        whole = [value for value in values if isinstance(value, int)]
        largest = max(map(abs, whole), default=0)
        if kinds == {int} and largest < 2**63:
            return pl.Series(name, values, dtype=pl.Int64)
        if float in kinds and largest <= 2**53:
            return pl.Series(name, values, dtype=pl.Float64)
    if kinds == {bool}:
        return pl.Series(name, values, dtype=pl.Boolean)
    if kinds == {list}:
        numeric = all(type(part) in (int, float) for value in values if value is not None for part in value)
        inner = pl.Float64() if numeric else pl.String()
        as_text = [None if v is None else [_text(part) for part in v] for v in values]
        rows = [None if v is None else [float(part) for part in v] for v in values] if numeric else as_text
        return pl.Series(name, rows, dtype=pl.List(inner))
    return pl.Series(name, [_text(value) for value in values], dtype=pl.String)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(str(_text(part)) for part in value if part is not None)
    if isinstance(value, float):
        return None if math.isnan(value) else str(value)
    return json.dumps(value, ensure_ascii=False)


def _object(line: bytes, number: int, label: str) -> dict[str, Any]:
    """One line as an object.

    Raises:
        InputError: it is none, names a field twice, is nested deeper than the limit ``json_depth``, or holds half a
            character.
    """
    where = f"{label}: line {number}"
    _check_depth(line, where)
    try:
        record = _DECODER.decode(line.decode())
        if b"\\ud" in line.lower():
            json.dumps(record, ensure_ascii=False).encode()
    except UnicodeDecodeError:
        raise InputError(f"{where} is not UTF-8 text") from None
    except UnicodeEncodeError:
        raise InputError(f"{where} holds half of a character (a surrogate without its partner)") from None
    except InputError as error:
        raise InputError(f"{where} {error}") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{where} is not JSON ({error}); one object a line is needed") from None
    except ValueError as error:  # whole numbers of thousands of digits
        raise InputError(f"{where} is not JSON that can be read ({first_line(error)})") from None
    if not isinstance(record, dict):
        raise InputError(f"{where} is not a JSON object; one object a line is needed")
    return record


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        raise InputError(f"names the field {shown(next(name for name in names if names.count(name) > 1))} twice")
    return record


_DECODER = json.JSONDecoder(object_pairs_hook=_without_repeats)


def _check_depth(line: bytes, where: str) -> None:
    most = limit("json_depth")
    if line.count(b"[") + line.count(b"{") <= most:
        return
    depth = deepest = 0
    for mark in _MARKS.findall(_STRINGS.sub(b"", line)):
        depth += 1 if mark in b"[{" else -1
        deepest = max(deepest, depth)
    if deepest > most:
        raise over_limit(where, f"is nested {deepest} deep", "json_depth")


_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"')
_MARKS = re.compile(rb"[\[\]{}]")


def _paths(record: Mapping[str, Any], before: str = "") -> list[str]:
    found = []
    for name, value in record.items():
        found.append(before + name)
        if isinstance(value, dict):
            found += _paths(value, f"{before}{name}.")
    return found
