"""Limits on what a file may ask for, so that a small file cannot fill memory or disk; each can be raised."""

import os

from alignrec_geo.errors import InputError

VARIABLE = "ALIGNREC_LIMITS"

DEFAULTS = {
    "image_pixels": 200_000_000,
    "image_bytes": 1 << 30,
    "json_depth": 100,
    "yaml_depth": 100,
    "yaml_aliases": 1_000,
    "yaml_bytes": 256 << 10,
    "unpacked_bytes": 64 << 30,
    "unpacked_ratio": 1_000,
    "archive_members": 5_000_000,
    "download_bytes": 64 << 30,
    "recipe_bytes": 1 << 20,
}
"""Every limit: the pixels of one image, the bytes of its file, the nesting of JSON and of YAML, how many values the
aliases of a YAML file repeat, its size, the bytes that one compressed file or archive unpacks to, how many times larger
than the file they may be (asked above 64 MiB only), the members of an archive, the bytes of one download whose recipe
states no size, and those of a recipe."""


def limit(name: str) -> int:
    """Return a limit: its default, or what the environment variable ``ALIGNREC_LIMITS`` says.

    The variable holds ``name=number`` pairs with commas between: ``image_pixels=1e9,json_depth=500``.

    Raises:
        InputError: the variable names no limit, or holds no positive number for it.

    Example:
        >>> limit("json_depth")
        100
    """
    value = DEFAULTS[name]
    for pair in filter(None, os.environ.get(VARIABLE, "").split(",")):
        key, _, text = pair.partition("=")
        if key.strip() not in DEFAULTS:
            raise InputError(f"{VARIABLE}: there is no limit '{key.strip()}'; there are: {', '.join(DEFAULTS)}")
        try:
            number = int(float(text))
        except (ValueError, OverflowError):
            number = 0
        if number < 1:
            raise InputError(f"{VARIABLE}: {key.strip()} takes a positive number (got '{text}')")
        if key.strip() == name:
            value = number
    return value


def over_limit(label: object, what: str, name: str) -> InputError:
    """The error for a file that asks for more than a limit; it names the limit and how to raise it.

    Example:
        >>> print(over_limit("a.json", "is nested 101 deep", "json_depth"))
        a.json: is nested 101 deep; the limit is 100 (raise it with ALIGNREC_LIMITS=json_depth=NUMBER)
    """
    return InputError(f"{label}: {what}; the limit is {limit(name)} (raise it with {VARIABLE}={name}=NUMBER)")
