"""One worker: the application in a server of its own, until it is asked to end."""

import gc
import logging
import os
import signal
import socket
from collections.abc import Callable

import torch
import uvicorn

from alignrec_geo.kernels.allocator import keep_freed_memory
from alignrec_geo.service.app import make_app
from alignrec_geo.service.settings import ServiceSettings

KEPT_ALIVE = 15
"""Seconds that an idle connection is kept."""
SCORES = 1 << 24
"""Bytes of a buffer that comes and goes with a request; tables are larger, and go back to the system with their run."""
LOG_FORMAT = "%(asctime)s %(levelname)s %(message)s"


def serve_here(
    settings: ServiceSettings,
    listening: socket.socket,
    ready: Callable[[], None],
    workers: int = 1,
    others: Callable[[], None] | None = None,
) -> None:
    """Open the run, say so, and answer until SIGTERM or SIGINT; requests under way are finished.

    Args:
        settings: the run and the limits.
        listening: a bound socket.
        ready: called once the run is open.
        workers: how many share this machine's processors.
        others: tells the other workers to reload.

    Raises:
        InputError: the run cannot be opened.
    """
    logging.basicConfig(level=logging.WARNING, format=LOG_FORMAT)
    # a product of one user's size gains nothing from more threads, and workers would fight for the processors
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // (2 * workers)))
    keep_freed_memory(SCORES)
    app = make_app(settings, others, _spare_long_lived)
    _spare_long_lived()
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,  # nobody's address is asked for but that of a reload, which no proxy may forward
            server_header=False,
            lifespan="on",
            ws="none",
            timeout_keep_alive=KEPT_ALIVE,
            timeout_graceful_shutdown=int(settings.timeout) + 1,
        )
    )
    ready()
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.run(sockets=[listening])  # it raises the signal that ended it again: that is no news then
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _spare_long_lived() -> None:
    """Free what an earlier run left, and let no later collection go through what stays: millions of ids and titles."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
