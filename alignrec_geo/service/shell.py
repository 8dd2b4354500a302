"""What surrounds every request: limits of size and time, headers, counts, and an end to errors that nobody foresaw."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alignrec_geo.errors import InputError
from alignrec_geo.plain import printable
from alignrec_geo.service.jobs import Busy
from alignrec_geo.service.problems import LOG, WAIT, problem, problem_of
from alignrec_geo.service.service import Service
from alignrec_geo.service.settings import ServiceSettings

HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
OTHER = "other"
"""The route of addresses at which there is nothing: strangers must not fill the metrics with names."""


Endpoint = Callable[[Request], Awaitable[Response]]


class Shell:
    """The whole application, as ASGI has it.

    No address of the service holds a parameter, so an endpoint is found in a dictionary. What FastAPI would do between
    here and there (matching, dependencies, several layers of middleware) takes longer than a small ranking.

    Args:
        app: what answers everything else: OpenAPI, and addresses and methods that there are not.
        endpoints: by method and path.
        service: limits, and what counts.
    """

    def __init__(self, app: ASGIApp, endpoints: Mapping[tuple[str, str], Endpoint], service: Service) -> None:
        self.app, self.service, self._endpoints = app, service, endpoints
        self._settings, self._measures = service.settings, service.measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        one = _Watched(self._settings, receive, send)
        started = time.perf_counter()
        self._measures.running.inc()
        try:
            await self._answer(scope, one)
        finally:
            self._measures.running.dec()
            route = scope["path"].removeprefix(scope.get("root_path", ""))
            route = route if ("GET", route) in self._endpoints or ("POST", route) in self._endpoints else OTHER
            self._measures.count(route, scope["method"], one.status, time.perf_counter() - started)

    async def _answer(self, scope: Scope, one: "_Watched") -> None:
        endpoint = self._endpoints.get((scope["method"], scope["path"].removeprefix(scope.get("root_path", ""))))
        try:
            one.check_length(scope)
            async with asyncio.timeout(self._settings.timeout):
                if endpoint is None:
                    await self.app(scope, one.receive, one.send)
                else:
                    answer = await endpoint(Request(scope, one.receive))
                    await answer(scope, one.receive, one.send)
        except (InputError, HTTPException, Busy) as error:
            await one.finish(scope, problem_of(error))
        except TimeoutError:
            await one.finish(scope, self._too_late(scope, one.complete))
        except ClientDisconnect:
            pass
        except Exception:
            LOG.exception("a fault of alignrec-geo, at %s", printable(scope["path"]))
            await one.finish(scope, problem(500, "a fault of the service; its log says more"))

    def _too_late(self, scope: Scope, complete: bool) -> Response:
        seconds = f"{self._settings.timeout:g} s"
        if not complete:
            return problem(408, f"the request was not complete after {seconds}")
        LOG.warning("%s took more than %s", printable(scope["path"]), seconds)
        return problem(503, f"the answer takes more than {seconds}; ask for less, or try again", WAIT)


class _Watched:
    """The two ends of one request, watched."""

    def __init__(self, settings: ServiceSettings, receive: Receive, send: Send) -> None:
        self.status, self.complete = 499, False  # as nginx counts who has gone before an answer
        self._most, self._read = settings.max_body, 0
        self._receive, self._send = receive, send
        self._begun = False

    def check_length(self, scope: Scope) -> None:
        for name, value in scope["headers"]:
            if name == b"content-length" and (not value.isdigit() or len(value) > 18 or int(value) > self._most):
                raise self._too_large()

    def _too_large(self) -> HTTPException:
        return HTTPException(413, f"the body has more than {self._most:,} bytes (see max_body)")

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._read += len(message.get("body", b""))
            self.complete = not message.get("more_body", False)
            if self._read > self._most:
                raise self._too_large()
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self._begun = message["status"], True
            message["headers"] = [*message.get("headers", ()), *HEADERS]
        await self._send(message)

    async def finish(self, scope: Scope, answer: Response) -> None:
        """Answer, unless an answer has begun."""
        if not self._begun:
            await answer(scope, self._receive, self.send)
