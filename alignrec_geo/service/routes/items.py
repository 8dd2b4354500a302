"""Items and users that are looked for, images, and why an item has its score."""

from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import Response

from alignrec_geo.errors import InputError, UnknownId
from alignrec_geo.service.answers import ExplainAnswer, ItemsAnswer, UsersFound, answer
from alignrec_geo.service.opened import OpenRun
from alignrec_geo.service.problems import documented
from alignrec_geo.service.questions import Find, FindUsers, Picture, Why, parameters_of, read_query
from alignrec_geo.service.service import Service
from alignrec_geo.serving.asked import asked_count

SIDES = (160, 320, 640)
ELSEWHERE = ("id", "title", "image")
"""Columns of the table of items that have a place of their own in an answer."""


def looking(service: Service) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/v1", tags=["look"], responses=documented(404, 422, 503))

    @router.get("/items", response_model=ItemsAnswer, openapi_extra=parameters_of(Find))
    async def items(request: Request) -> Response:
        """Items by words of their titles and ids, the most popular first, or by ids; without both the most popular."""
        asked, run = read_query(request, Find), service.run
        if asked.search is not None and asked.id is not None:
            raise InputError("name either search= or id=, not both")

        def rows() -> list[int]:
            if asked.id is None:
                return run.items_like(asked.search, asked.limit)
            found = [(name, run.candidates.rows.get(name)) for name in asked.id]
            for name, row in found:
                if row < 0:
                    raise run.top.unknown(run.candidates.rows, name)
            return [row for _, row in found]

        return answer({"items": await service.jobs.run(lambda: [details(run, row) for row in rows()])})

    @router.get("/users", response_model=UsersFound, openapi_extra=parameters_of(FindUsers))
    async def users(request: Request) -> Response:
        """Users by words of their ids, those with the most interactions first; without words the first of these."""
        asked, run = read_query(request, FindUsers), service.run
        return answer({"users": await service.jobs.run(lambda: run.users_like(asked.search, asked.limit))})

    @router.get(
        "/image",
        openapi_extra=parameters_of(Picture),
        response_class=Response,
        responses={200: {"description": "A JPEG.", "content": {"image/jpeg": {}}}},
    )
    async def image(request: Request) -> Response:
        """An item's image, as a JPEG that was made here: no stored byte is handed on."""
        asked, run = read_query(request, Picture), service.run
        if asked.side not in SIDES:
            raise InputError(f"side must be one of {', '.join(map(str, SIDES))} (got {asked.side:.40g})")
        row = run.candidates.rows.get(asked.item)
        if row < 0:
            raise run.top.unknown(run.candidates.rows, asked.item)
        small = await service.jobs.run(lambda: run.image(row, asked.side))
        if small is None:
            raise UnknownId(f"item '{asked.item}' has no image that can be shown")
        return Response(small, media_type="image/jpeg", headers={"cache-control": "max-age=300"})

    @router.get("/explain", response_model=ExplainAnswer, openapi_extra=parameters_of(Why))
    async def explain(request: Request) -> Response:
        """Why an item has its score for a user: identity or content, and which past items carry it."""
        asked, run = read_query(request, Why), service.run
        k = asked_count(service.most(asked.k))
        why = await service.jobs.run(lambda: run.explained(asked.user, asked.item))
        left = why["history"][k:]
        more = {name: sum(one[name] for one in left) for name in ("identity", "content")}
        return answer({**why, "history": why["history"][:k], "more": {"items": len(left), **more}})

    return router


def details(run: OpenRun, row: int) -> dict[str, Any]:
    """What is known of an item."""
    known = run.candidates.table.row(row, named=True)
    return {
        "item": known["id"],
        "title": known["title"],
        "cold": bool(run.candidates.cold[row]),
        "interactions": int(run.candidates.popularity[row]),
        "image": f"v1/image?item={quote(known['id'], safe='')}" if run.has_image(row) else None,
        "columns": {name: value for name, value in known.items() if name not in ELSEWHERE and value is not None},
    }
