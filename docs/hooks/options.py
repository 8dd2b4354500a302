"""Options in the text of the site: an MkDocs hook.

A browser may break a line after every hyphen, which leaves ``--`` at the end of one line and the name of the option at
the beginning of the next. Options in inline code and in commands are marked; the style sheet keeps them in one piece.
"""

import re
from typing import Any

PART = re.compile(
    r'(?P<commands><div class="language-console[^>]*><pre.*?</pre>)|<pre.*?</pre>|(?P<code><code>[^<]+</code>)',
    re.DOTALL,
)
TEXT = re.compile(r"(?<=>)[^<]+")
OPTION = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*")


def on_page_content(html: str, **kwargs: Any) -> str:
    """Mark the options of a page."""
    return with_options(html)


def with_options(html: str) -> str:
    """Put every option of inline code and of commands into a ``<span class="option">``; other blocks stay."""
    return PART.sub(lambda part: _marked(part[0]) if part.lastgroup else part[0], html)


def _marked(html: str) -> str:
    return TEXT.sub(lambda text: OPTION.sub(r'<span class="option">\g<0></span>', text[0]), html)
