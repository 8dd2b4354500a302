"""The page: one self-contained document, put together from its files, and the headers that forbid everything else."""

import base64
import hashlib
from importlib.resources import files


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


SCRIPTS = ("1_text.js", "2_search.js", "3_why.js", "4_page.js")
"""One script, in this order."""
ICON = _read("icon.svg")
_STYLE, _SCRIPT = _read("page.css"), "\n".join(map(_read, SCRIPTS))
PAGE = _read("page.html").replace("/*STYLE*/", _STYLE).replace("/*SCRIPT*/", _SCRIPT)
"""The document. Paths in it are relative, so that it works below a prefix of a proxy."""
HEADERS = {
    "content-security-policy": "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash(_SCRIPT)}",
            f"style-src {_hash(_STYLE)}",
            "img-src 'self'",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "cache-control": "no-cache",
}
"""Only this script and this style run, and only this service is asked: text of the data cannot become code."""
