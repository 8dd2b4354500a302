"""Results that hold several data sets, each measured by a call of its own."""

from collections.abc import Mapping
from typing import Any

from harness.machine import RESULTS, machine
from harness.measure import command

from alignrec_geo.files import read_json, write_json


def store_data_set(name: str, data_set: str, content: Mapping[str, Any]) -> None:
    """Add what was measured on a data set to ``benchmarks/results/NAME.json``, in place of what it held of it.

    Args:
        name: of the result.
        data_set: its name.
        content: what was measured; the command and the machine are added.
    """
    file = RESULTS / f"{name}.json"
    stored: dict[str, Any] = read_json(file) if file.exists() else {"name": name, "data sets": {}}
    stored["data sets"][data_set] = {"command": command(), **content, "machine": machine()}
    stored["command"] = [part["command"] for part in stored["data sets"].values()]
    write_json(file, stored)
