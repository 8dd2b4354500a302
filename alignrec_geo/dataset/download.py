"""One download over HTTP: tried again when the connection breaks, resumed where it broke off."""

import os
import time
from collections.abc import Callable
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

from alignrec_geo.errors import FetchError, InputError
from alignrec_geo.files import read_json, write_json
from alignrec_geo.limits import limit, over_limit

Progress = Callable[[int, int | None], None]
"""Called with the bytes there so far and, if the server tells, the bytes there will be."""

ATTEMPTS = 5
"""How often one file is asked for."""
PAUSE = 1.0
"""Seconds before the second attempt; doubled before each further one."""
TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as broken."""
BLOCK = 1 << 17
LIMIT = "download_bytes"
PASSING = (408, 429, 500, 502, 503, 504)
"""HTTP answers that may be different next time."""


ADDRESS = "an http or https address, in ASCII, with %20 for a blank"


def is_address(url: str) -> bool:
    """Whether a file can be asked for under ``url``, which must be :data:`ADDRESS`.

    Example:
        >>> is_address("https://example.org:8080/a%20b.zip"), is_address("http://[::1"), is_address("file:///etc")
        (True, False, False)
    """
    try:
        parts = urlsplit(url)
        (parts.hostname or "").encode("idna")
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # no such port, a bracket too few, a label that is too long
        return False
    return sound and url.isascii() and url.isprintable() and " " not in url


def download(
    url: str, target: Path, check: Callable[[Path], None], progress: Progress | None = None, most: int | None = None
) -> None:
    """Download ``url`` to ``target``, which appears only when it is whole and checked.

    The bytes go to ``NAME.part`` beside it. An interrupted download, also of an earlier run, is resumed if
    the server says that the file is still the same (``If-Range`` with its ``ETag`` or date), else it starts
    again.

    Args:
        url: an ``http`` or ``https`` address.
        target: where the file goes.
        check: called with the whole file before it gets its name; raises :class:`FetchError` to refuse it.
        progress: called after every block.
        most: bytes that the recipe says the file has; as many as the limit ``download_bytes`` if not given. No more
            are read.

    Raises:
        InputError: an impossible address.
        FetchError: no network, no such address, a redirection from ``https`` to something less safe, a connection that
            broke too often, more bytes than allowed, or a refused file.
    """
    if not is_address(url):
        raise InputError(f"an address must be {ADDRESS} (got {url!r})")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = _Part(url, target)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _transfer(part, progress, most)
            break
        except _Refused as error:
            part.discard()
            raise FetchError(f"{url}: {error}") from None
        except (HTTPError, URLError, HTTPException, ConnectionError, TimeoutError) as error:
            if attempt == ATTEMPTS or not _may_pass(error):
                raise FetchError(_explain(error, url, target)) from None
            time.sleep(PAUSE * 2 ** (attempt - 1))
    try:
        check(part.path)
    except FetchError:
        part.discard()
        raise
    part.finish(target)


class _Refused(Exception):
    """What the server offers is not taken, and asking again would not help."""


class _Redirections(HTTPRedirectHandler):
    """Follows redirections to addresses that are at least as safe."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        scheme = urlsplit(newurl).scheme
        if scheme != "https" and not scheme == req.type == "http":
            raise _Refused(f"the server redirects from {req.type} to {newurl}; refused")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def urlopen(request: Request, timeout: float) -> Any:
    """Ask over ``http`` or ``https`` and nothing else: no files, no ``ftp``."""
    opener = OpenerDirector()
    for handler in (ProxyHandler, UnknownHandler, HTTPHandler, HTTPSHandler, HTTPDefaultErrorHandler):
        opener.add_handler(handler())
    opener.add_handler(_Redirections())
    opener.add_handler(HTTPErrorProcessor())
    return opener.open(request, timeout=timeout)


class _Part:
    """The unfinished file, and what the server called the version that its bytes belong to."""

    def __init__(self, url: str, target: Path) -> None:
        self.url = url
        self.path = target.with_name(target.name + ".part")
        self.note = target.with_name(target.name + ".part.json")

    def version(self) -> str | None:
        """What to send as ``If-Range``; ``None`` if the bytes there (if any) cannot be continued."""
        if not (self.path.is_file() and self.note.is_file()):
            return None
        try:
            known = read_json(self.note)
        except InputError:
            return None
        same = isinstance(known, dict) and known.get("url") == self.url and self.path.stat().st_size > 0
        return str(known["version"]) if same else None

    def start(self, headers: HTTPMessage) -> IO[bytes]:
        """Start from the first byte of the version that ``headers`` describe."""
        self.discard()
        tag = headers.get("ETag")
        version = tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")
        if version:
            write_json(self.note, {"url": self.url, "version": version})
        return self.path.open("wb")

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def finish(self, target: Path) -> None:
        os.replace(self.path, target)
        self.note.unlink(missing_ok=True)


def _transfer(part: _Part, progress: Progress | None, most: int | None) -> None:
    """Fetch what is missing of ``part`` in one request."""
    version = part.version()
    start = part.path.stat().st_size if version else 0
    headers = {"User-Agent": "alignrec-geo", "Accept-Encoding": "identity"}
    if version:
        headers |= {"Range": f"bytes={start}-", "If-Range": version}
    try:
        response = urlopen(Request(part.url, headers=headers), timeout=TIMEOUT)
    except HTTPError as error:
        if error.code != 416:
            raise
        error.close()
        part.discard()  # more bytes are there than the file has
        raise ConnectionError("the part that was there did not fit") from None
    except ValueError as error:  # a redirection to what is no address
        raise _Refused(f"the server redirects to an impossible address ({error})") from None
    with response:
        if response.status == 206 and not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            part.discard()
            raise ConnectionError("the server sent another part than asked for")
        resumed = response.status == 206
        done = start if resumed else 0
        total = _total(response.headers.get("Content-Length"), done)
        if total is not None and total > (limit(LIMIT) if most is None else most):
            raise _too_much(total, most)
        with part.path.open("ab") if resumed else part.start(response.headers) as sink:
            while block := response.read(BLOCK):
                done += len(block)
                if done > (limit(LIMIT) if most is None else most):
                    raise _too_much(done, most)
                sink.write(block)
                if progress is not None:
                    progress(done, total)
    if total is not None and done < total:
        raise ConnectionError(f"the connection broke off after {done} of {total} bytes")


def _too_much(size: int, most: int | None) -> _Refused:
    if most is None:
        return _Refused(str(over_limit("the server", f"offers {size} bytes or more", LIMIT)))
    return _Refused(f"the server offers {size} bytes or more, the recipe says {most}")


def _total(length: str | None, done: int) -> int | None:
    """The bytes that there will be; ``None`` where the server does not say, or says nonsense."""
    return done + int(length) if length is not None and length.isascii() and length.isdigit() else None


def _may_pass(error: Exception) -> bool:
    """Whether another attempt makes sense: a broken connection does, no network or no such page does not."""
    if isinstance(error, HTTPError):
        return error.code in PASSING
    cause = error.reason if isinstance(error, URLError) else error
    broken = isinstance(cause, (HTTPException, ConnectionError, TimeoutError))
    return broken and not isinstance(cause, ConnectionRefusedError)


def _explain(error: Exception, url: str, target: Path) -> str:
    by_hand = f"download it by hand, place it as {target}, and run the command again"
    if isinstance(error, HTTPError):
        return f"{url}: the server answers {error.code} {error.reason}; if it has moved, {by_hand}"
    if _may_pass(error):
        return f"{url}: {error} ({ATTEMPTS} attempts); run the command again to resume, or {by_hand}"
    reason = error.reason if isinstance(error, URLError) else error
    return f"{url}: no network, or the server cannot be reached ({reason}); {by_hand}"
