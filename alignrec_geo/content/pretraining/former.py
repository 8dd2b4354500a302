"""Encoders that earlier releases stored, under the names of today."""

from collections.abc import Mapping
from typing import Any

FORMER_SETTINGS = {"drawings": "masked_copies", "longest": "max_tokens", "picture_share": "image_share"}
"""Settings of stage 1 by their former names."""
FORMER_KINDS = {"package": "frozen"}
"""Kinds of encoders by their former names."""


def up_to_date(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an encoder's ``config.json`` says with today's names.

    Example:
        >>> up_to_date({"kind": "package", "task": {"settings": {"longest": 96}, "longest": 80}})
        {'kind': 'frozen', 'task': {'settings': {'max_tokens': 96}, 'max_tokens': 80}}
    """
    made = dict(config)
    if isinstance(made.get("kind"), str):
        made["kind"] = FORMER_KINDS.get(made["kind"], made["kind"])
    task = made.get("task")
    if isinstance(task, Mapping):
        made["task"] = _renamed(task)
        if isinstance(task.get("settings"), Mapping):
            made["task"]["settings"] = _renamed(task["settings"])
    return made


def _renamed(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {FORMER_SETTINGS.get(key, key): value for key, value in settings.items()}
