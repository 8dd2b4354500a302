"""Small parts of the service: addresses, questions that come together, requests whose asker has gone."""

import asyncio
import errno
import os
import socket

import pytest
from starlette.requests import ClientDisconnect

from alignrec_geo.errors import InputError
from alignrec_geo.service import ServiceSettings
from alignrec_geo.service.address import bound, is_loopback, url
from alignrec_geo.service.measures import Measures
from alignrec_geo.service.shell import _Watched
from alignrec_geo.service.together import Kind, Together
from alignrec_geo.service.workers import FOLDER
from tests.service.apart import run_apart


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.EACCES, "port 80 of 127.0.0.1 may not be used by this user; name one above 1023"),
        (errno.EADDRINUSE, "port 80 of 127.0.0.1 is in use"),
        (errno.EADDRNOTAVAIL, "this machine has no address '127.0.0.1'"),
        (errno.ENOBUFS, "127.0.0.1:80: No buffer space available"),
    ],
)
def test_why_nobody_can_listen_there(monkeypatch, code, words):
    def refuse(made, address):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(InputError, match=words):
        bound("127.0.0.1", 80)


def test_the_address_as_a_browser_takes_it():
    with bound("127.0.0.1", 0) as listening:
        assert url(listening) == f"http://127.0.0.1:{listening.getsockname()[1]}"
        assert is_loopback(listening)


class Jobs:
    """Runs at once, or refuses."""

    def __init__(self, error=None):
        self.error, self.asked = error, 0

    async def run(self, work, cost):
        self.asked += 1
        if self.error is not None:
            raise self.error
        return work()


class Top:
    def recommend(self, users, *rest, **rules):
        return {user: f"for {user}" for user in users}


class Run:
    top = Top()


def asked(jobs, cancel):
    """Ask for two users at once, of whom some have gone before the answer."""

    async def both():
        together = Together(jobs, lambda run, users: users)
        kind = Kind(Run(), 5, False, "hide")
        asking = [asyncio.ensure_future(together.ask(kind, user)) for user in ("ann", "bob")]
        await asyncio.sleep(0)  # both wait, and the ranking is about to begin
        for number in cancel:
            asking[number].cancel()
        return await asyncio.gather(*asking, return_exceptions=True)

    return run_apart(both())


@pytest.mark.parametrize("error", [None, InputError("too much")])
def test_who_has_gone_is_not_answered_and_the_others_are(error):
    jobs = Jobs(error)
    gone, there = asked(jobs, [0])
    assert isinstance(gone, asyncio.CancelledError)
    assert there == ("for bob" if error is None else error)
    assert jobs.asked == 1


def test_nothing_is_ranked_for_nobody():
    jobs = Jobs()
    assert all(isinstance(one, asyncio.CancelledError) for one in asked(jobs, [0, 1]))
    assert jobs.asked == 0


def test_an_answer_that_has_begun_is_not_begun_again():
    sent = []

    async def nothing():
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message["type"])

    async def answer(scope, receive, send):
        await send({"type": "http.response.start", "status": 500})

    async def run():
        one = _Watched(ServiceSettings("run"), nothing, send)
        assert (await one.receive())["type"] == "http.disconnect"
        assert not one.complete
        await one.send({"type": "http.response.start", "status": 200})
        await one.finish({}, answer)
        return one.status

    assert run_apart(run()) == 200
    assert sent == ["http.response.start"]


def test_who_goes_while_sending_is_no_fault(app, caplog, monkeypatch):
    async def gone(request):
        raise ClientDisconnect

    sent = []

    async def send(message):
        sent.append(message)

    monkeypatch.setattr(app, "_endpoints", {("GET", "/health"): gone})
    run_apart(app({"type": "http", "method": "GET", "path": "/health", "headers": []}, None, send))
    assert sent == []
    assert not caplog.records


def test_counts_of_all_workers_come_from_their_folder(tmp_path, monkeypatch):
    measures = Measures()
    measures.running.inc()
    alone, kind = measures.text()
    assert b"alignrec_requests_running 1.0" in alone
    monkeypatch.setenv(FOLDER, str(tmp_path))
    together, same = measures.text()
    assert (together, same) == (b"", kind)  # no worker has written there yet
