"""Settings that refuse what makes no sense, and errors of pydantic models as one line for the user."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from reprlib import Repr
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator
from pydantic_core.core_schema import ValidationInfo

from alignrec_geo.errors import InputError

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass as _Plain
else:

    class _Plain(type(BaseModel)):
        """Whoever makes settings in Python gets the same one line as whoever writes them into a file."""

        def __call__(cls, *args, **values):
            try:
                return super().__call__(*args, **values)
            except ValidationError as error:
                raise _in_one_line(cls, error, "", "") from None


class Settings(BaseModel, metaclass=_Plain):
    """Base of every class of settings: no unknown keys, no NaN, no infinity, no booleans as numbers, no changes.

    Raises:
        InputError: a value is impossible; names its key, what was given and what is allowed.

    Example:
        >>> class Size(Settings):
        ...     width: int = 8
        >>> Size(width=True)
        Traceback (most recent call last):
        alignrec_geo.errors.InputError: width: a number is needed, not true or false (got True)
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_booleans_as_numbers(cls, value: Any, info: ValidationInfo) -> Any:
        leaves = set(_leaves(cls.model_fields[str(info.field_name)].annotation))
        if leaves & {int, float} and not leaves & {bool, Any} and any(isinstance(part, bool) for part in _parts(value)):
            raise ValueError("a number is needed, not true or false")
        return value


SHORT = Repr()
SHORT.maxstring = SHORT.maxother = 80
SHORT.maxlevel = 2
"""How a value is shown: a few of its parts, however many it has."""
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
        raise _in_one_line(model, error, section, prefix) from None


def _in_one_line(model: type[BaseModel], error: ValidationError, section: str, prefix: str) -> InputError:
    first = error.errors()[0]
    key = f"{'.'.join(str(part) for part in (section, *first['loc']) if part != ''):.120}"
    if first["type"] == "extra_forbidden" and len(first["loc"]) == 1 and issubclass(model, Settings):
        close = get_close_matches(str(first["loc"][0]), model.model_fields, n=1)
        hint = f" (did you mean '{close[0]}'?)" if close else ""
        known = ", ".join(model.model_fields) or "none"
        return InputError(f"{prefix}unknown setting '{key}'{hint}; there are: {known}")
    given = "" if isinstance(first["input"], dict) else f" (got {SHORT.repr(first['input'])})"
    message = f"{first['msg'].removeprefix('Value error, '):.600}"
    return InputError(prefix + (f"{key}: {message}{given}" if key else message))


def _leaves(annotation: Any) -> Iterator[Any]:
    """The plain types that an annotation is made of."""
    inner = get_args(annotation)
    if not inner:
        yield annotation
    for part in inner:
        yield from _leaves(part)


def _parts(value: Any) -> Iterator[Any]:
    """The plain values that a value is made of; the keys of mappings are not looked at."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str | bytes):
        for part in value:
            yield from _parts(part)
    else:
        yield value
