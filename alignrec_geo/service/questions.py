"""What can be asked, checked before any work: every question as one model with its limits."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, StringConstraints, ValidationError
from starlette.requests import Request

from alignrec_geo.errors import InputError

LONGEST_ID = 512
LONGEST_TEXT = 200
LONGEST_WHERE = 10_000
MOST_SHOWN = 200
"""Items or users that one search lists."""
_ONE = Annotated[str, StringConstraints(max_length=LONGEST_ID)]
_ID = (
    Annotated[StrictStr, StringConstraints(max_length=LONGEST_ID)] | Annotated[StrictInt, Field(ge=-(2**63), lt=2**63)]
)
_IDS = Annotated[list[_ID], Field(description="External ids, as text or whole numbers.")]
_WHERE = Annotated[str, StringConstraints(max_length=LONGEST_WHERE)]

User = Annotated[_ONE, Field(description="External id of a user.", examples=["user-0001"])]
Item = Annotated[_ONE, Field(description="External id of an item.", examples=["item-0007"])]
K = Annotated[int, Field(description="How many items.", json_schema_extra={"minimum": 1}, examples=[5])]
Unknown = Annotated[
    str,
    Field(
        description="Unknown users: error, popular or skip.", json_schema_extra={"enum": ["error", "popular", "skip"]}
    ),
]
Seen = Annotated[
    str,
    Field(
        description="Whether items that the user has interacted with are left out: hide or keep.",
        json_schema_extra={"enum": ["hide", "keep"]},
    ),
]
IncludeCold = Annotated[bool, Field(description="Rank items of 'embed' too, by their content.")]
Where = Annotated[
    _WHERE | None, Field(description="A condition on columns of the items, as in SQL.", examples=["title is not null"])
]
OnlyItems = Annotated[_IDS | None, Field(description="Items that may be listed; all if not given.")]
WithoutItems = Annotated[_IDS | None, Field(description="Items that may not be listed.")]


class Question(BaseModel):
    """What is asked; a name that is not there is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ForOneUser(Question):
    """``GET /v1/recommend``: see :meth:`alignrec_geo.serving.TopItems.recommend` for every field."""

    user: User
    k: K = 10
    unknown: Unknown = "error"
    include_cold: IncludeCold = False
    where: Where = None
    seen: Seen = "hide"


class ForUsers(Question):
    """``POST /v1/recommend``: several users, with rules that take lists."""

    users: Annotated[list[_ID], Field(description="External ids.", examples=[["user-0001", "user-0002"]])]
    k: K = 10
    unknown: Unknown = "error"
    include_cold: IncludeCold = False
    only_items: OnlyItems = None
    without_items: WithoutItems = None
    where: Where = None
    seen: Seen = "hide"
    exclude: Annotated[
        dict[Annotated[str, StringConstraints(max_length=LONGEST_ID)], list[_ID]] | None,
        Field(description="Items that single users may not get, by user."),
    ] = None


class ForBasket(Question):
    """``POST /v1/basket``: a user of whom only some items are known."""

    items: Annotated[list[_ID], Field(description="External ids.", examples=[["item-0001", "item-0007"]])]
    k: K = 10
    include_cold: IncludeCold = False
    only_items: OnlyItems = None
    without_items: WithoutItems = None
    where: Where = None
    seen: Seen = "hide"


class LikeItem(Question):
    """``GET /v1/similar``."""

    item: Item
    k: K = 10
    include_cold: IncludeCold = False
    where: Where = None


class LikeItemAmong(Question):
    """``POST /v1/similar``: with rules that take lists."""

    item: Annotated[_ID, Field(description="External id of an item.", examples=["item-0007"])]
    k: K = 10
    include_cold: IncludeCold = False
    only_items: OnlyItems = None
    without_items: WithoutItems = None
    where: Where = None


class Why(Question):
    """``GET /v1/explain``."""

    user: User
    item: Item
    k: Annotated[int, Field(description="How many past items.", json_schema_extra={"minimum": 1})] = 10


class FindUsers(Question):
    """``GET /v1/users``: words of an id; without, those with the most interactions."""

    search: Annotated[
        Annotated[str, StringConstraints(max_length=LONGEST_TEXT)] | None,
        Field(description="Words, or beginnings of words, of a title or id.", examples=["mug"]),
    ] = None
    limit: Annotated[int, Field(ge=1, le=MOST_SHOWN, description="How many are listed.")] = 20


class Find(FindUsers):
    """``GET /v1/items``: words of a title or id, or ids; without both, the most popular."""

    id: Annotated[
        Annotated[list[_ONE], Field(max_length=MOST_SHOWN)] | None,
        Field(description="External ids, repeatable, in place of a search.", examples=[["item-0007"]]),
    ] = None


class Picture(Question):
    """``GET /v1/image``."""

    item: Item
    side: Annotated[
        int, Field(description="Pixels of the longer side.", json_schema_extra={"enum": [160, 320, 640]})
    ] = 320


Asked = TypeVar("Asked", bound=Question)


def read_query(request: Request, kind: type[Asked]) -> Asked:
    """Return the question of a request's query string.

    Raises:
        InputError: a name that is not there or comes twice, a missing or a wrong value; the message names it.
    """
    given: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        if name in kind.model_fields and _is_list(kind, name):
            given.setdefault(name, []).append(value)
        elif name in given:
            raise InputError(f"{name}: is given twice")
        else:
            given[name] = value
    return _checked(kind, lambda: kind.model_validate(given))


async def read_body(request: Request, kind: type[Asked]) -> Asked:
    """Return the question of a request's body, JSON.

    Raises:
        InputError: no JSON, or as :func:`read_query`.
    """
    body = await request.body()
    return _checked(kind, lambda: kind.model_validate_json(body))


def parameters_of(kind: type[Question]) -> dict[str, Any]:
    """The fields of a question as OpenAPI has query parameters."""
    schema = kind.model_json_schema()
    return {
        "parameters": [
            {
                "name": name,
                "in": "query",
                "required": name in schema.get("required", ()),
                "schema": {key: value for key, value in told.items() if key not in ("description", "examples")},
                "description": told.get("description", ""),
                **({"example": told["examples"][0]} if "examples" in told else {}),
            }
            for name, told in schema["properties"].items()
        ]
    }


def body_of(kind: type[Question]) -> dict[str, Any]:
    """A question as OpenAPI has the body of a request."""
    schema = kind.model_json_schema()
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _is_list(kind: type[Question], name: str) -> bool:
    def lists(annotation: Any) -> bool:
        return get_origin(annotation) is list or any(map(lists, get_args(annotation)))

    return lists(kind.model_fields[name].annotation)


def _checked(kind: type[Asked], read: Any) -> Asked:
    try:
        found: Asked = read()
    except ValidationError as error:
        raise InputError("; ".join(_sentence(kind, one) for one in error.errors(include_url=False)[:3])) from None
    return found


def _sentence(kind: type[Question], error: Mapping[str, Any]) -> str:
    place = ".".join(str(part) for part in error["loc"] if not str(part).startswith(("constrained-", "function-")))
    if error["type"] == "extra_forbidden":
        return f"{place}: is not asked for here; there are: {', '.join(kind.model_fields)}"
    if error["type"] == "missing":
        return f"{place}: is missing"
    said = str(error["msg"])
    return f"{place or 'body'}: {said[:1].lower()}{said[1:]} (got {_short(error.get('input'))})"


def _short(value: Any) -> str:
    """The beginning of a value, without writing out all of a large one."""
    if isinstance(value, str | bytes):
        return f"{value[:60]!r}"
    if isinstance(value, int) and abs(value) >= 1 << 64:
        return "a number of more than 64 bits"
    if isinstance(value, list | dict):
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    return f"{value!r:.60}"
