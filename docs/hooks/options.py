"""Options in the text of the site: an MkDocs hook.

A browser may break a line after every hyphen, which leaves ``--`` at the end of one line and the name of the option at
the beginning of the next. Options in inline code and in commands are marked; the style sheet keeps them in one piece.
"""

import re
from typing import Any

BLOCK = re.compile(r"(<pre.*?</pre>)", re.DOTALL)
COMMANDS = re.compile(r'<div class="language-console[^>]*>$')
CODE = re.compile(r"<code>[^<]+</code>")
TEXT = re.compile(r"(?<=>)[^<]+")
OPTION = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*")


def on_page_content(html: str, **kwargs: Any) -> str:
    """Mark the options of a page."""
    return with_options(html)


def with_options(html: str) -> str:
    """Put every option of inline code and of commands into a ``<span class="option">``; other blocks stay."""
    before, made = "", []
    for part in BLOCK.split(html):
        if not part.startswith("<pre"):
            made.append(CODE.sub(lambda code: _marked(code[0]), part))
        else:
            made.append(_marked(part) if COMMANDS.search(before) else part)
        before = part
    return "".join(made)


def _marked(html: str) -> str:
    return TEXT.sub(lambda text: OPTION.sub(r'<span class="option">\g<0></span>', text[0]), html)
