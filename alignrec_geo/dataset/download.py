"""One download over HTTP: tried again when the connection breaks, resumed where it broke off."""

import os
import time
from collections.abc import Callable
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from alignrec_geo.errors import FetchError, InputError
from alignrec_geo.files import read_json, write_json

Progress = Callable[[int, int | None], None]
"""Called with the bytes there so far and, if the server tells, the bytes there will be."""

ATTEMPTS = 5
"""How often one file is asked for."""
PAUSE = 1.0
"""Seconds before the second attempt; doubled before each further one."""
TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as broken."""
BLOCK = 1 << 17
PASSING = (408, 429, 500, 502, 503, 504)
"""HTTP answers that may be different next time."""


def download(url: str, target: Path, check: Callable[[Path], None], progress: Progress | None = None) -> None:
    """Download ``url`` to ``target``, which appears only when it is whole and checked.

    The bytes go to ``NAME.part`` beside it. An interrupted download, also of an earlier run, is resumed if
    the server says that the file is still the same (``If-Range`` with its ``ETag`` or date), else it starts
    again.

    Args:
        url: an ``http`` or ``https`` address.
        target: where the file goes.
        check: called with the whole file before it gets its name; raises :class:`FetchError` to refuse it.
        progress: called after every block.

    Raises:
        FetchError: no network, no such address, a connection that broke too often, or a refused file.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = _Part(url, target)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _transfer(part, progress)
            break
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


def _transfer(part: _Part, progress: Progress | None) -> None:
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
    with response:
        if response.status == 206 and not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            part.discard()
            raise ConnectionError("the server sent another part than asked for")
        resumed = response.status == 206
        done = start if resumed else 0
        length = response.headers.get("Content-Length")
        total = None if length is None else done + int(length)
        with part.path.open("ab") if resumed else part.start(response.headers) as sink:
            while block := response.read(BLOCK):
                sink.write(block)
                done += len(block)
                if progress is not None:
                    progress(done, total)
    if total is not None and done < total:
        raise ConnectionError(f"the connection broke off after {done} of {total} bytes")


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
