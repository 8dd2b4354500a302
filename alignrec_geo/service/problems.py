"""Everything that goes wrong, in one form: ``application/problem+json`` (RFC 9457), one sentence, never a traceback."""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, Field
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from alignrec_geo.errors import UnknownId
from alignrec_geo.plain import printable
from alignrec_geo.service.jobs import Busy

MEDIA_TYPE = "application/problem+json"
LONGEST = 2_000
WAIT = {"retry-after": "1"}
LOG = logging.getLogger("alignrec_geo.service")


class Problem(BaseModel):
    """Why a request was not answered."""

    type: str = Field("about:blank", examples=["about:blank"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["unknown user 'nobody' in data set 'catalogue'; known are for example 'user-0000'"])


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """The answer that says what is wrong.

    Args:
        status: the HTTP status.
        detail: one sentence; control characters are escaped, and a very long one is cut.
        headers: further headers.
    """
    said = printable(detail)
    said = said if len(said) <= LONGEST else f"{said[: LONGEST // 2]} … {said[-LONGEST // 2 :]}"
    content = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": said}
    return Response(to_json(content), status, headers, MEDIA_TYPE)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of the answers with these statuses."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in statuses
    }


def problem_of(error: Exception) -> Response:
    """The answer for an error that was raised on purpose: what was asked, a status, or too many requests."""
    if isinstance(error, HTTPException):
        return problem(error.status_code, str(error.detail), dict(error.headers or {}))
    if isinstance(error, Busy):
        return problem(503, "more requests wait than may; try again soon", WAIT)
    return problem(404 if isinstance(error, UnknownId) else 422, str(error))


def handle_nowhere(app: FastAPI) -> None:
    """Say in the same form that there is nothing at an address, or that a method is not answered there."""

    async def nowhere(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        path, headers = request.url.path, dict(error.headers or {})
        if error.status_code == 405:
            return problem(405, f"{request.method} is not answered at {path}", headers)
        return problem(error.status_code, f"there is nothing at {path}; openapi.json lists what there is", headers)

    app.add_exception_handler(HTTPException, nowhere)
