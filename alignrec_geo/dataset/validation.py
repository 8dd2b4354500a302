"""Errors of pydantic models as one line for the user."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from alignrec_geo.errors import InputError

Model = TypeVar("Model", bound=BaseModel)


def checked(model: type[Model], **values: Any) -> Model:
    """Make a configuration, or say in one line which key is wrong, what was given and what is allowed.

    Raises:
        InputError: a value does not validate.

    Example:
        >>> from alignrec_geo.dataset.filters import FilterConfig
        >>> checked(FilterConfig, k_core=5).k_core
        5
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        given = "" if isinstance(first["input"], dict) else f" (got {first['input']!r})"
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(f"{key}: {message}{given}" if key else message) from None
