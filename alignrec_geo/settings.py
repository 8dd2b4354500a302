"""Settings: classes that refuse what makes no sense, and their values from ``key=value`` pairs and YAML files.

Whatever is wrong is one line that names the key, what was given and what is allowed.
"""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from reprlib import Repr
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator
from pydantic_core.core_schema import ValidationInfo

from alignrec_geo.errors import InputError
from alignrec_geo.limits import limit, over_limit
from alignrec_geo.reading import check_plain_file, reading
from alignrec_geo.yaml_text import parse_yaml

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

    renamed: ClassVar[Mapping[str, str]] = {}
    """Former names of settings, which are still accepted, and what they are called now."""

    @model_validator(mode="before")
    @classmethod
    def _former_names(cls, values: Any) -> Any:
        return current_names(values, cls) if isinstance(values, Mapping) else values

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


Sections = Mapping[str, type[BaseModel]]
"""Configuration classes by the name of their section."""


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file of settings.

    Raises:
        InputError: the file is missing, or is not a YAML mapping.
    """
    size = check_plain_file(path, "YAML file").stat().st_size
    if size > limit("yaml_bytes"):
        raise over_limit(path, f"has {size:,} bytes", "yaml_bytes")
    with reading(path, "YAML file"):
        text = path.read_text(encoding="utf-8")
    content = parse_yaml(text, path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: settings must be key: value pairs (got {type(content).__name__})")
    return content


def parse_setting(setting: str, sections: Sections) -> tuple[str, str, Any]:
    """Section, name and value of ``SECTION.NAME=value`` or ``NAME=value``; the value is YAML.

    Raises:
        InputError: not of this form, or no such setting.
    """
    path, equals, text = setting.partition("=")
    if not equals or not path:
        raise InputError(f"settings= takes key=value (got '{setting:.80}')")
    value = parse_yaml(text, f"setting {path}")
    home = home_of(path, sections)
    if home is None:
        raise _unknown_key(path, [f"{name}.{key}" for name, kind in sections.items() for key in kind.model_fields])
    return *home, value


def home_of(path: str, sections: Sections) -> tuple[str, str] | None:
    """The section and the name of the setting ``SECTION.NAME`` or ``NAME``; ``None`` if there is no such."""
    section, dot, key = path.rpartition(".")
    found = ((name, _current_name(key, kind)) for name, kind in sections.items() if not dot or name == section)
    return next(((name, current) for name, current in found if current is not None), None)


def current_names(values: Mapping[str, Any], kind: type[BaseModel]) -> dict[str, Any]:
    """Return settings under the names that they have now.

    Raises:
        InputError: one is given by its former name as well.
    """
    renamed = kind.renamed if issubclass(kind, Settings) else {}
    for former, name in renamed.items():
        if former in values and name in values:
            raise InputError(f"'{former}' is the former name of '{name}'; give it once")
    return {renamed.get(key, key): value for key, value in values.items()}


def _current_name(key: str, kind: type[BaseModel]) -> str | None:
    """What a setting is called now, whether it is given by that name or by a former one."""
    renamed = kind.renamed if issubclass(kind, Settings) else {}
    name = renamed.get(key, key)
    return name if name in kind.model_fields else None


def check_keys(section: str, values: Mapping[str, Any], kind: type[BaseModel]) -> None:
    """Refuse keys that a section does not have.

    Raises:
        InputError: names the key and what was probably meant.
    """
    for key in values:
        if _current_name(key, kind) is None:
            raise _unknown_key(f"{section}.{key}", [f"{section}.{name}" for name in kind.model_fields])


def _unknown_key(key: str, known: list[str]) -> InputError:
    plain = {setting.rpartition(".")[2]: setting for setting in known}
    name = key.rpartition(".")[2]
    close = get_close_matches(name, plain, n=1) or [known for known in plain if name in known]
    hint = f" (did you mean '{plain[close[0]]}'?)" if close else ""
    return InputError(f"unknown setting '{key}'{hint}; there are: {', '.join(known)}")
