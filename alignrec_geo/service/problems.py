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

from alignrec_geo.errors import InputError, UnknownId
from alignrec_geo.plain import printable
from alignrec_geo.service.jobs import Busy

MEDIA_TYPE = "application/problem+json"
LONGEST = 2_000
SECONDS_TO_WAIT = "1"
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


def handle_problems(app: FastAPI) -> None:
    """Let every error of a request become such an answer."""

    async def of_input(request: Request, error: Exception) -> Response:
        return problem(404 if isinstance(error, UnknownId) else 422, str(error))

    async def of_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 404 and error.detail == "Not Found":
            return problem(404, f"there is nothing at {request.url.path}; openapi.json lists what there is")
        if error.status_code == 405:
            return problem(405, f"{request.method} is not answered at {request.url.path}", dict(error.headers or {}))
        return problem(error.status_code, str(error.detail), dict(error.headers or {}))

    async def of_busy(request: Request, error: Exception) -> Response:
        return problem(503, "more requests wait than may; try again soon", {"retry-after": SECONDS_TO_WAIT})

    app.add_exception_handler(InputError, of_input)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(Busy, of_busy)
