"""``--device``, the same for every verb that computes."""

from typing import Annotated

import typer

DeviceOption = Annotated[
    str, typer.Option("--device", metavar="DEVICE", help="auto (a GPU if there is one), cpu, cuda, or cuda:1.")
]
TrainingDeviceOption = Annotated[
    str | None, typer.Option("--device", metavar="DEVICE", help="auto (default), cpu, cuda, or cuda:1.")
]
"""The same where it is a setting of the run, which a file may give too."""


def device_setting(device: str | None) -> list[str]:
    """What ``--device`` sets, as ``--set`` takes it.

    Example:
        >>> device_setting("cpu"), device_setting(None)
        (['training.device=cpu'], [])
    """
    return [] if device is None else [f"training.device={device}"]
