"""Messages of the library name Python's parameters (``overwrite=True``); at the command line they name its options."""

import re

PARAMETERS = (
    "actors",
    "address",
    "all_items",
    "cache",
    "columns",
    "dataset",
    "decimal",
    "drop_unused",
    "engine",
    "encoding",
    "exclude",
    "features",
    "image",
    "images",
    "index",
    "item_table",
    "items",
    "keep_html",
    "memory",
    "name",
    "only_items",
    "out",
    "programs",
    "overwrite",
    "port",
    "public",
    "ranks",
    "rating",
    "resume",
    "rule",
    "seen",
    "separator",
    "skip_bad_rows",
    "skip_empty_ids",
    "slim",
    "space",
    "split",
    "split_unused",
    "strip_ids",
    "text",
    "timeout",
    "timestamp",
    "title",
    "trust",
    "unknown",
    "weight",
    "where",
    "without_images",
    "without_items",
    "without_users",
)
"""Parameters whose option is called as they are."""
OTHERWISE = {
    "base_url": "--mirror",
    "feature_ids": "--feature-ids NAME=FILE",
    "item_columns": "--item-column",
    "lr": "--set lr=…",
    "settings": "--set",
    "source": "--encoder NAME=FOLDER",
}
"""Parameters whose option has another name or form."""

_MENTIONED = re.compile(
    rf"(?<![-.\w'])(?P<name>{'|'.join([*PARAMETERS, *OTHERWISE])})=(?:(?:True\b|…)|'(?P<value>[^']*)'|(?=[\s;,.:)]|$))"
)


def in_options(message: str) -> str:
    """Return a message of the library with the options of the command line in place of Python's parameters.

    Example:
        >>> in_options("runs/x holds a run already; pass resume=True to continue it or overwrite=True to replace it")
        'runs/x holds a run already; pass --resume to continue it or --overwrite to replace it'
        >>> in_options("unknown='popular' recommends what is popular"), in_options("name the column with rating=")
        ('--unknown popular recommends what is popular', 'name the column with --rating')
    """
    return _MENTIONED.sub(_option, message)


def _option(found: re.Match[str]) -> str:
    name, value = found["name"], found["value"]
    option = OTHERWISE.get(name, f"--{name.replace('_', '-')}")
    if value is None:
        return option
    return f"{option} {value}" if re.fullmatch(r"[\w-]+", value) else f"{option} '{value}'"
