"""Docstrings of this project as Markdown: a Griffe extension that mkdocstrings loads.

The docstrings are Google style with reST inside, as PyG's are. What reST writes otherwise than Markdown is translated
here: roles, links, formulas.
"""

import re
from collections.abc import Callable
from html import escape
from textwrap import dedent
from typing import Any

from griffe import AliasResolutionError, Extension, GriffeLoader, Module, NameResolutionError, Object

INLINE_MATH = re.compile(r":math:`([^`]+)`")
BLOCK_MATH = re.compile(r"^(?P<indent> *)\.\. math::(?P<body>.*\n(?:(?P=indent) +.*\n|\s*\n)*)", re.MULTILINE)
ROLE = re.compile(r":(?:attr|class|data|func|meth|mod):`(?P<short>~?)(?P<name>[^`]+)`")
LINK = re.compile(r"(?<!`)`(?P<text>[^`<]+?)\s*<(?P<url>https://[^>]+)>`_")
EXAMPLE = re.compile(r"^( *)Example:$", re.MULTILINE)
ENVIRONMENT = re.compile(r"\\begin\{(\w+)\}.*?\\end\{\1\}", re.DOTALL)


def to_markdown(text: str, resolve: Callable[[str], str]) -> str:
    r"""Translate the reST of a docstring.

    Args:
        text: the docstring, without the indentation of the code.
        resolve: from a name as the docstring has it to its full path.

    Returns:
        Markdown: formulas in ``\(…\)`` and ``\[…\]``, names as references that stay plain where no page has them.
    """

    def reference(match: re.Match[str]) -> str:
        name = match["name"]
        title = name.rpartition(".")[2] if match["short"] else name
        return f'<autoref optional identifier="{escape(resolve(name))}"><code>{escape(title)}</code></autoref>'

    text = BLOCK_MATH.sub(_block, text + "\n")
    text = INLINE_MATH.sub(lambda match: rf"\({' '.join(match[1].split())}\)", text)
    text = ROLE.sub(reference, text)
    text = LINK.sub(lambda match: f"[{' '.join(match['text'].split())}]({match['url']})", text)
    return EXAMPLE.sub(r"\1Examples:", text).rstrip("\n")


def _block(match: re.Match[str]) -> str:
    indent, formula = match["indent"], " ".join(dedent(match["body"]).split())
    if "&" in ENVIRONMENT.sub("", formula):  # columns, as Sphinx has them without an environment of their own
        formula = rf"\begin{{align*}} {{}} {formula} \end{{align*}}"
    return f"{indent}\\[\n{indent}{formula}\n{indent}\\]\n\n"


class MarkdownDocstrings(Extension):
    """Translates every docstring of a package once all of it is loaded, so that names can be resolved."""

    def on_package(self, *, pkg: Module, loader: GriffeLoader, **kwargs: Any) -> None:
        """Translate the docstrings of the package."""
        _translate(pkg, pkg)


def _translate(item: Object, package: Module) -> None:
    if item.docstring:
        item.docstring.value = to_markdown(item.docstring.value, lambda name: full_path(item, package, name))
    for member in item.members.values():
        if not member.is_alias:
            _translate(member, package)  # type: ignore[arg-type]  # what is no alias is an object


def full_path(item: Object, package: Module, name: str) -> str:
    """The path of what ``name`` means in the docstring of ``item``, through imports to where it is defined."""
    head, dot, rest = name.partition(".")
    if head == package.name:
        path = name
    else:
        try:
            path = item.resolve(head) + dot + rest
        except NameResolutionError:
            return name
    while path.startswith(f"{package.name}."):
        try:
            found = package[path.removeprefix(f"{package.name}.")]
            if not found.is_alias:
                return str(found.path)
            path = found.target_path
        except (KeyError, AliasResolutionError):
            break
    return path
