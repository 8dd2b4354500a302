"""What ``compare`` and ``tune`` share: lists on the command line, and how they are stopped."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alignrec_geo.cli.output import stderr
from alignrec_geo.errors import InputError


def split_names(text: str) -> list[str]:
    """The names of a comma-separated list."""
    return [name.strip() for name in text.split(",") if name.strip()]


def required_names(text: str, flag: str) -> list[str]:
    """The names of a comma-separated list, each once.

    Raises:
        InputError: there is none; the error names the flag.
    """
    names = list(dict.fromkeys(split_names(text)))
    if not names:
        raise InputError(f"{flag} names nothing (got '{text}')")
    return names


def chosen_features(text: str | None) -> list[str] | None:
    """What ``--features`` names: ``None`` for all, none for ``none``.

    Example:
        >>> chosen_features("image, text"), chosen_features("none"), chosen_features(None)
        (['image', 'text'], [], None)
    """
    return None if text is None else [] if text == "none" else split_names(text)


@contextmanager
def continued_by_the_same_command(out: Path) -> Iterator[None]:
    """Say, when Ctrl-C stops it, that everything is saved and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        stderr.print(f"stopped; every finished epoch is saved in {out}, continue with the same command", soft_wrap=True)
        raise
