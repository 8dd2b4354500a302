"""What answers hold: the models that OpenAPI shows. Answers are written straight from plain values."""

from typing import Any

from pydantic import BaseModel, Field
from pydantic_core import to_json
from starlette.responses import Response

from alignrec_geo.serving.results import Recommendation


class Listed(BaseModel):
    """One item of a list."""

    item: str = Field(description="External id.", examples=["item-0007"])
    title: str | None = Field(description="Title, where known.", examples=["Blue mug"])
    score: float = Field(description="Dot product; cosine of similar items; interactions of popular ones.")
    cold: bool = Field(description="Whether the item has no training interaction.")
    source: str = Field(description="Where the score comes from: model, content or popular.")


class UserAnswer(BaseModel):
    """Items for one user; none under ``unknown=skip`` for a user who is not known."""

    user: str
    items: list[Listed]
    notes: list[str] = Field(description="What of the rules could not be used.")


class UsersAnswer(BaseModel):
    """Items for several users, as ``alignrec-geo recommend --json`` prints them."""

    users: dict[str, list[Listed]]
    left_out: list[str] = Field(description="Users without an answer, under unknown=skip.")
    notes: list[str]


class BasketAnswer(BaseModel):
    """Items for a basket."""

    basket: list[str]
    items: list[Listed]
    notes: list[str]


class SimilarAnswer(BaseModel):
    """Items like an item."""

    item: str
    similar: list[Listed]
    notes: list[str]


class PastItem(BaseModel):
    """What one past item brings to a score."""

    item: str
    title: str | None
    identity: float
    content: float


class Left(BaseModel):
    """Past items that are not listed, and what they bring together."""

    items: int
    identity: float
    content: float


class ExplainAnswer(BaseModel):
    """Why an item has its score for a user: see the page on explanations for every field."""

    model: str
    dataset: str
    user: str
    item: str
    title: str | None
    score: float
    rank: int | None = Field(description="Place among the items that the user has not interacted with.")
    candidates: int
    parts_are: str
    history_is: str
    parts: dict[str, float]
    elsewhere: dict[str, float]
    sources: dict[str, float]
    remainder: float
    history: list[PastItem]
    more: Left


class Details(BaseModel):
    """An item of the catalogue."""

    item: str
    title: str | None
    cold: bool
    interactions: int = Field(description="Training interactions.")
    image: str | None = Field(description="Address of its image, relative to the service's.")
    columns: dict[str, Any] = Field(description="Everything else that is known of it.")


class ItemsAnswer(BaseModel):
    """Items that were found."""

    items: list[Details]


class UsersFound(BaseModel):
    """Users that were found."""

    users: list[str]


class RunAnswer(BaseModel):
    """What is served."""

    run: str
    model: str | None
    dataset: str
    users: int
    items: int
    cold_items: int = Field(description="Items with a vector from their content, by 'embed'.")
    images: bool
    index: str = Field(description="exact or ann.")
    columns: dict[str, str] = Field(description="Columns that a condition (where) can be on, with their types.")
    example_users: list[str]
    identity: str = Field(description="Changes when another run is served.")
    opened: float = Field(description="Seconds since 1970.")
    notes: list[str]
    max_k: int
    max_users: int


class StateAnswer(BaseModel):
    """How the service is."""

    status: str
    identity: str


class ReloadAnswer(BaseModel):
    """Which run is served after a reload."""

    reloaded: bool = Field(description="Whether its files had changed.")
    identity: str


def answer(content: dict[str, Any], status: int = 200) -> Response:
    """The answer that holds these values, as JSON."""
    body = to_json(content, inf_nan_mode="null", bytes_mode="base64")
    return Response(body, status, media_type="application/json")


def listed(items: list[Recommendation]) -> list[dict[str, Any]]:
    """Single results by name."""
    return [one._asdict() for one in items]
