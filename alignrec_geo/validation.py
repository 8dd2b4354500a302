"""Errors of pydantic models as one line for the user."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from alignrec_geo.errors import InputError

Model = TypeVar("Model", bound=BaseModel)


def checked(model: type[Model], values: Mapping[str, Any], section: str = "", prefix: str = "") -> Model:
    """Make a configuration, or say in one line which key is wrong, what was given and what is allowed.

    Args:
        model: the class.
        values: its fields.
        section: where the fields stand in a larger configuration; comes before the key.
        prefix: comes before the message, a file's name for example.

    Raises:
        InputError: a value does not validate.

    Example:
        >>> from alignrec_geo.dataset.filters import FilterConfig
        >>> checked(FilterConfig, {"k_core": 5}).k_core
        5
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in (section, *first["loc"]) if part != "")
        given = "" if isinstance(first["input"], dict) else f" (got {first['input']!r:.80})"
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(prefix + (f"{key}: {message}{given}" if key else message)) from None
