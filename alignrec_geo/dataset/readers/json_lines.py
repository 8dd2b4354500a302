"""JSON lines as columns: nested fields by dotted path, one object a line, ragged objects allowed."""

import codecs
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from alignrec_geo.dataset.readers.bad_rows import OPTION, check_enough_left
from alignrec_geo.dataset.readers.delimited import TextLayout
from alignrec_geo.dataset.readers.rows import LeftOut, Table, shown
from alignrec_geo.errors import InputError
from alignrec_geo.limits import limit, over_limit
from alignrec_geo.reading import first_line

UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def json_table(
    lines: Iterable[bytes], label: str, columns: Sequence[str] | None = None, layout: TextLayout | None = None
) -> Table:
    """Read columns from JSON lines; an object without a field has null there, blank lines are left out.

    Args:
        lines: the lines of the file, in UTF-8.
        label: the file, for errors.
        columns: field names or dotted paths (``omdb.Plot``); ``None`` takes every field of the top level.
        layout: whether lines that cannot be read are left out, and the decimal mark of numbers in text.

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
    chosen, left_out = layout or TextLayout(), LeftOut()
    for number, line in enumerate(lines, start=1):
        if number == 1:
            if line.startswith(UTF16_MARKS):
                more = ", or pass encoding='utf-16'" if chosen.options else ""
                raise InputError(f"{label}: is UTF-16 text; save it as UTF-8{more}")
            line = line.removeprefix(codecs.BOM_UTF8)
        if not line.strip():
            continue
        try:
            record = _object(line, number)
        except InputError as error:
            if not chosen.skip_bad_rows:
                raise InputError(f"{label}: {error}{OPTION if chosen.options else ''}") from None
            left_out = left_out.and_also(LeftOut(1, ((0, number, str(error)),)))
            continue
        for name in record if wanted is None else ():
            values.setdefault(name, [None] * len(numbers))
        for name, column in values.items():
            column.append(record.get(name) if wanted is None else reach(record, name))
        numbers.append(number)
        fields.update(dict.fromkeys(_paths(record)) if len(numbers) <= 1000 else ())
    if not numbers:
        check_enough_left(Table(pl.DataFrame(), label, left_out=left_out))
        raise InputError(f"{label}: is empty")
    for name, column in values.items():
        if wanted is not None and all(value is None for value in column) and name not in fields:
            known = ", ".join(map(shown, list(fields)[:40]))
            raise InputError(f"{label}: no column '{name}'; there are: {known}")
    frame = pl.DataFrame([json_series(name, column) for name, column in values.items()])
    nested = [name for name, column in values.items() if any(isinstance(value, dict | list) for value in column)]
    line_of = np.array(numbers, dtype=np.int64)
    table = Table(frame, label, line_of, nested=nested, left_out=left_out, decimal=chosen.mark)
    check_enough_left(table)
    return table


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


def _object(line: bytes, number: int) -> dict[str, Any]:
    """One line as an object.

    Raises:
        InputError: it is none, names a field twice, is nested deeper than the limit ``json_depth``, or holds half a
            character.
    """
    where = f"line {number}"
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
