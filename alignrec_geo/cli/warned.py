"""Warnings of the library as people read them: one line, without the place in the program."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alignrec_geo.cli.flags import in_options
from alignrec_geo.cli.output import stderr


@contextmanager
def one_line_warnings() -> Iterator[None]:
    """Print a ``UserWarning`` as ``warning: …``; what is meant for programmers (deprecations, …) stays as it is."""
    usual = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if category is UserWarning:
            stderr.print(f"warning: {in_options(str(message))}", soft_wrap=True)
        else:
            usual(message, category, *where, **more)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = usual
