"""The service itself: what it serves, whether it is well, its counts, a reload, and the page."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from alignrec_geo.errors import InputError
from alignrec_geo.service.answers import ReloadAnswer, RunAnswer, StateAnswer, answer
from alignrec_geo.service.page import HEADERS, ICON, PAGE
from alignrec_geo.service.problems import documented
from alignrec_geo.service.service import Service

LOOPBACK = ("127.0.0.1", "::1", "::ffff:127.0.0.1")
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
"""What a proxy adds: behind one on this machine, everybody seems to be on this machine."""


def running(service: Service) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["service"], responses=documented(503))

    @router.head("/health", include_in_schema=False)
    @router.get("/health", response_model=StateAnswer)
    async def health(request: Request) -> Response:
        """Whether the process answers; nothing is computed."""
        return answer({"status": "ok", "identity": service.run.identity})

    @router.head("/ready", include_in_schema=False)
    @router.get("/ready", response_model=StateAnswer)
    async def ready(request: Request) -> Response:
        """Whether a run is open and a ranking with it succeeds."""
        run = service.run
        await service.jobs.run(lambda: run.top.similar(run.candidates.names[0][0], 1))
        return answer({"status": "ready", "identity": run.identity})

    @router.get("/v1/run", response_model=RunAnswer)
    async def run(request: Request) -> Response:
        """What is served, and the limits of requests."""
        return answer(await service.jobs.run(lambda: facts(service)))

    @router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics(request: Request) -> Response:
        """Counts and times for Prometheus."""
        body, kind = service.measures.text()
        return Response(body, headers={"content-type": kind})

    @router.get("/", include_in_schema=False)
    async def page(request: Request) -> Response:
        return Response(PAGE, media_type="text/html", headers=HEADERS)

    @router.get("/icon.svg", include_in_schema=False)
    async def icon(request: Request) -> Response:
        return Response(ICON, media_type="image/svg+xml")

    @router.post("/admin/reload", response_model=ReloadAnswer, responses=documented(403, 409))
    async def reload(request: Request) -> Response:
        """Serve what is at the run's path now; answered for programs on this machine if the service allows it."""
        _check_allowed(service, request)
        try:
            changed = await asyncio.to_thread(service.reload_all)  # not in the queue of requests
        except InputError as error:
            raise HTTPException(409, f"not reloaded: {error}") from None
        return answer({"reloaded": changed, "identity": service.run.identity})

    return router


def _check_allowed(service: Service, request: Request) -> None:
    if not service.settings.allow_reload:
        raise HTTPException(403, "this service takes no reload by HTTP (allow_reload is off); SIGHUP makes it reload")
    client = request.client.host if request.client is not None else ""
    if client not in LOOPBACK or any(name in request.headers for name in FORWARDED):
        raise HTTPException(403, "a reload is asked for from the service's own machine, and not through a proxy")
    if "origin" in request.headers or "sec-fetch-site" in request.headers:
        raise HTTPException(403, "a reload is not asked for by a web page")


def facts(service: Service) -> dict[str, Any]:
    """What is served."""
    run = service.run
    top = run.top
    return {
        "run": run.run.name,
        "model": run.model_name,
        "dataset": top.dataset.name,
        "users": len(top.users),
        "items": len(run.candidates),
        "cold_items": 0 if top.cold_items is None else len(top.cold_items),
        "images": run.has_images,
        "index": service.settings.index,
        "columns": run.columns,
        "example_users": run.examples,
        "identity": run.identity,
        "opened": run.opened,
        "notes": run.notes,
        "max_k": service.settings.max_k,
        "max_users": service.settings.max_users,
    }
