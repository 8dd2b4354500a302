"""A small HTTP server on this machine that serves one file, well or badly."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FileServer:
    """What is served and what was asked for.

    Args:
        content: bytes of the file, the same under every path.
        ranges: answer ``Range`` requests with a part.
        version: send an ``ETag``, and check ``If-Range`` against it.
        cut: number of answers that break off in the middle.
        status: codes of the first answers, one each, before the file is served.
        redirect: where the first answer sends to.
        length: say how long the file is.
        shift: answer a ``Range`` with a part that starts so many bytes too late.
        asked: the ``Range`` header of every request so far.
        url: the address, once it is served.
    """

    content: bytes
    ranges: bool = True
    version: bool = True
    cut: int = 0
    status: list[int] = field(default_factory=list)
    redirect: str = ""
    length: bool = True
    shift: int = 0
    asked: list[str | None] = field(default_factory=list)
    url: str = ""

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.content).hexdigest()}"'


@contextmanager
def serving(server: FileServer) -> Iterator[FileServer]:
    """Serve until the block ends; ``server.url`` is the address, ``server.asked`` the ``Range`` of each request."""

    class Handler(BaseHTTPRequestHandler):
        disable_nagle_algorithm = True  # else an answer in two pieces takes 40 ms

        def do_GET(self) -> None:
            server.asked.append(self.headers.get("Range"))
            place, server.redirect = server.redirect, ""  # before the answer: the next request may come during it
            if place:
                self.send_response(302)
                self.send_header("Location", place)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if server.status:
                self.send_error(server.status.pop(0))
                return
            start, total = 0, len(server.content)
            wanted = self.headers.get("Range")
            if wanted and server.ranges and self.headers.get("If-Range") == server.etag:
                start = int(wanted.removeprefix("bytes=").removesuffix("-")) + server.shift
                if start >= total:
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
            else:
                self.send_response(200)
            if server.version:
                self.send_header("ETag", server.etag)
            body = server.content[start:]
            if server.length:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if server.cut:
                server.cut -= 1
                body = body[: len(body) // 2]
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        server.url = f"http://127.0.0.1:{running.server_port}"
        try:
            yield server
        finally:
            running.shutdown()


def closed_url() -> str:
    """An address on this machine where nobody listens."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as unused:
        return f"http://127.0.0.1:{unused.server_port}"
