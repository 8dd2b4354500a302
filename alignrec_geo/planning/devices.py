"""Devices whose rates are stored with the package, and this machine, whose rates are measured."""

import json
from importlib.resources import files
from typing import Any

from alignrec_geo.errors import InputError
from alignrec_geo.planning.calibrate import measured_here
from alignrec_geo.planning.rates import Rates

HERE = "here"
TABLE = "rates.json"


def device_names() -> list[str]:
    """The devices whose rates are known, and ``here``."""
    return [*_table(), HERE]


def device_rates(device: str) -> Rates:
    """Return the rates of a device: of the stored table, or measured on this machine in a few seconds (``here``).

    Raises:
        InputError: the device is unknown.

    Example:
        >>> device_rates("h200").copy_gb_s
        4188.8
    """
    check_device(device)
    if device == HERE:
        return measured_here()
    return Rates(**_table()[device])


def check_device(device: str) -> None:
    """Refuse a device whose rates nobody knows.

    Raises:
        InputError: says which there are.
    """
    if device not in device_names():
        raise InputError(f"no rates of device '{device}' are stored; there are: {', '.join(device_names())}")


def _table() -> dict[str, dict[str, Any]]:
    text = files("alignrec_geo.planning").joinpath(TABLE).read_text(encoding="utf-8")
    table: dict[str, dict[str, Any]] = json.loads(text)
    return table
