"""JSON lines as columns: nested fields by dotted path, one object a line, ragged objects allowed."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from alignrec_geo.dataset.interactions import Int64
from alignrec_geo.errors import InputError


def json_columns(
    lines: Iterable[bytes], label: str, columns: Sequence[str] | None = None
) -> tuple[pl.DataFrame, Int64]:
    """Read columns from JSON lines; an object without a field has null there, blank lines are left out.

    Args:
        lines: the lines of the file.
        label: the file, for errors.
        columns: field names or dotted paths (``omdb.Plot``); ``None`` takes every field of the top level.

    Returns:
        The columns and the line number of every row. A wanted column that no object has is left out.

    Raises:
        InputError: a line is not a JSON object, or there is none.

    Example:
        >>> lines = [b'{"id": 1, "about": {"plot": "A toy."}}']
        >>> frame, _ = json_columns(lines, "movies", ["id", "about.plot"])
        >>> frame.to_dicts()
        [{'id': 1, 'about.plot': 'A toy.'}]
    """
    wanted = None if columns is None else list(dict.fromkeys(columns))
    values: dict[str, list[Any]] = {name: [] for name in wanted or ()}
    fields: dict[str, None] = {}
    numbers: list[int] = []
    for number, line in enumerate(lines, start=1):
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
            known = ", ".join(f"'{field}'" for field in list(fields)[:40])
            raise InputError(f"{label}: no column '{name}'; there are: {known}")
    frame = pl.DataFrame([json_series(name, column) for name, column in values.items()])
    return frame, np.array(numbers, dtype=np.int64)


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
    """One column from values of any JSON type: numbers, truths or lists where all are, otherwise text."""
    kinds = {type(value) for value in values if value is not None}
    if kinds and kinds <= {int, float}:
        in_range = all(isinstance(v, float) or abs(v) < 2**63 for v in values if v is not None)
        if in_range:
            return pl.Series(name, values, dtype=pl.Int64 if kinds == {int} else pl.Float64)
    if kinds == {bool}:
        return pl.Series(name, values, dtype=pl.Boolean)
    if kinds == {list}:
        numeric = all(type(part) in (int, float) for value in values if value is not None for part in value)
        inner = pl.Float64() if numeric else pl.String()
        rows = values if numeric else [None if v is None else [_text(part) for part in v] for v in values]
        return pl.Series(name, rows, dtype=pl.List(inner))
    return pl.Series(name, [_text(value) for value in values], dtype=pl.String)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(str(_text(part)) for part in value if part is not None)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def _object(line: bytes, number: int, label: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{label}: line {number} is not JSON ({error}); one object a line is needed") from None
    if not isinstance(record, dict):
        raise InputError(f"{label}: line {number} is not a JSON object; one object a line is needed")
    return record


def _paths(record: Mapping[str, Any], before: str = "") -> list[str]:
    found = []
    for name, value in record.items():
        found.append(before + name)
        if isinstance(value, dict):
            found += _paths(value, f"{before}{name}.")
    return found
