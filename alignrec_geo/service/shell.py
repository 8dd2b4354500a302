"""What surrounds every request: limits of size and time, headers, counts, and an end to errors that nobody foresaw."""

import asyncio
import time
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alignrec_geo.plain import printable
from alignrec_geo.service.measures import Measures
from alignrec_geo.service.problems import LOG, SECONDS_TO_WAIT, problem
from alignrec_geo.service.settings import ServiceSettings

HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
OTHER = "other"
"""The route of addresses at which there is nothing: strangers must not fill the metrics with names."""


class Shell:
    """Middleware around the whole application.

    Args:
        app: what answers.
        settings: the limits.
        measures: what counts.
    """

    def __init__(self, app: ASGIApp, settings: ServiceSettings, measures: Measures) -> None:
        self.app, self.settings, self.measures = app, settings, measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        one = _Request(self.settings, receive, send)
        started = time.perf_counter()
        self.measures.running.inc()
        try:
            await self._answer(scope, one)
        finally:
            self.measures.running.dec()
            route = getattr(scope.get("route"), "path", OTHER)
            self.measures.count(route, scope["method"], one.status, time.perf_counter() - started)

    async def _answer(self, scope: Scope, one: "_Request") -> None:
        try:
            one.check_length(scope)
            async with asyncio.timeout(self.settings.timeout):
                await self.app(scope, one.receive, one.send)
        except HTTPException as error:
            await one.finish(scope, error.status_code, error.detail)
        except TimeoutError:
            seconds = f"{self.settings.timeout:g} s"
            if one.complete:
                LOG.warning("%s took more than %s", printable(scope["path"]), seconds)
                await one.finish(scope, 503, f"the answer takes more than {seconds}; ask for less, or try again")
            else:
                await one.finish(scope, 408, f"the request was not complete after {seconds}")
        except ClientDisconnect:
            pass
        except Exception:
            LOG.exception("a fault of alignrec-geo, at %s", printable(scope["path"]))
            await one.finish(scope, 500, "a fault of the service; its log says more")


class _Request:
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

    async def finish(self, scope: Scope, status: int, detail: Any) -> None:
        """Say what went wrong, unless the answer has begun."""
        if not self._begun:
            headers = {"retry-after": SECONDS_TO_WAIT} if status == 503 else None
            await problem(status, str(detail), headers)(scope, self._receive, self.send)
