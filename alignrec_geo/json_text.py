"""JSON from files, within limits: nesting, numbers, and nothing that JSON does not have."""

import json
import math
from typing import Any

from alignrec_geo.errors import InputError
from alignrec_geo.limits import limit, over_limit
from alignrec_geo.reading import reading
from alignrec_geo.yaml_text import HALVES


def parse_json(text: str, label: object) -> Any:
    """Parse JSON; a byte-order mark at the start is fine.

    Args:
        text: what to parse.
        label: the file (and line), for messages.

    Raises:
        InputError: not JSON, ``NaN`` or ``Infinity``, a number beyond all bounds, or nested too deeply.

    Example:
        >>> parse_json('{"k": 10}', "a.json")
        {'k': 10}
    """
    with reading(label, "JSON"):
        try:
            value = json.loads(text.removeprefix("\ufeff"), parse_constant=_refuse, parse_float=_finite)
        except RecursionError:
            raise over_limit(label, "is nested very deeply", "json_depth") from None
        except json.JSONDecodeError as error:
            raise InputError(f"{label}: not valid JSON ({error})") from None
        except ValueError as error:
            raise InputError(f"{label}: not valid JSON ({error!s:.80})") from None
        if "\\ud" in text.lower() and HALVES.search(json.dumps(value, ensure_ascii=False)):
            raise InputError(f"{label}: a text holds half of a surrogate pair")
    most = limit("json_depth")
    if _deeper_than(value, most):
        raise over_limit(label, f"is nested more than {most} deep", "json_depth")
    return value


def as_object(value: Any, label: object) -> dict[str, Any]:
    """Return what was read if it is an object.

    Raises:
        InputError: it is something else.
    """
    if not isinstance(value, dict):
        raise InputError(f"{label}: holds a {type(value).__name__}; a JSON object is needed")
    return value


def _deeper_than(value: Any, most: int) -> bool:
    level = [value]
    for _ in range(most):
        level = [part for parent in level for part in _parts(parent) if isinstance(part, dict | list)]
        if not level:
            return False
    return True


def _parts(value: Any) -> Any:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large a number")
    return value


def _refuse(text: str) -> float:
    raise ValueError(f"{text} is not JSON")
