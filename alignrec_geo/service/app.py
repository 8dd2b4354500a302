"""The application: routes, errors and limits, put together."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI
from fastapi.routing import APIRoute

import alignrec_geo
from alignrec_geo.errors import InputError
from alignrec_geo.service.current import Current
from alignrec_geo.service.jobs import Jobs
from alignrec_geo.service.measures import Measures
from alignrec_geo.service.problems import Problem, handle_nowhere
from alignrec_geo.service.routes.items import looking
from alignrec_geo.service.routes.recommending import recommending
from alignrec_geo.service.routes.running import running
from alignrec_geo.service.service import Service
from alignrec_geo.service.settings import ServiceSettings
from alignrec_geo.service.shell import Endpoint, Shell

ABOUT = "Recommendations, neighbours, explanations and items of a trained run."


def make_app(
    settings: ServiceSettings, others: Callable[[], None] | None = None, settled: Callable[[], None] | None = None
) -> Shell:
    """Open a run and return the ASGI application that serves it.

    Args:
        settings: the run and the limits.
        others: tells the other workers of the same service to reload.
        settled: called after every change to another run.

    Raises:
        InputError: the run cannot be opened.

    Example:
        >>> from starlette.testclient import TestClient
        >>> app = make_app(ServiceSettings("runs/shop"))  # doctest: +SKIP
        >>> TestClient(app).get("/v1/recommend", params={"user": "C-1029", "k": 3}).json()  # doctest: +SKIP
    """
    service = Service(
        settings, Current(settings), Jobs(settings.threads, settings.waiting), Measures(), others, settled
    )
    service.measures.opened.set(service.run.opened)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        hang_up = getattr(signal, "SIGHUP", None)
        loop, running_now = asyncio.get_running_loop(), set[asyncio.Task[None]]()

        async def reload() -> None:
            with suppress(InputError):  # it is in the log
                await asyncio.to_thread(service.reload)

        def begin() -> None:
            task = loop.create_task(reload())
            running_now.add(task)
            task.add_done_callback(running_now.discard)

        # only the main thread may have a handler, and not every loop offers one
        with suppress(ValueError, RuntimeError, NotImplementedError, TypeError):
            loop.add_signal_handler(hang_up, begin)  # type: ignore[arg-type]
        yield

    app = FastAPI(
        title="alignrec-geo",
        version=alignrec_geo.__version__,
        description=ABOUT,
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    endpoints: dict[tuple[str, str], Endpoint] = {}
    for router in (recommending(service), looking(service), running(service)):
        app.include_router(router)
        for route in router.routes:
            assert isinstance(route, APIRoute)
            endpoints |= {(method, route.path): route.endpoint for method in route.methods or ()}
    handle_nowhere(app)
    schema = app.openapi

    def with_problem() -> dict[str, object]:
        made = schema()
        made.setdefault("components", {}).setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
        return made

    app.openapi = with_problem  # type: ignore[method-assign]
    return Shell(app, endpoints, service)
