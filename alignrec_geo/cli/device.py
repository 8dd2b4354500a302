"""``--device``, the same for every verb that computes."""

from typing import Annotated

import typer

DeviceOption = Annotated[
    str, typer.Option("--device", metavar="DEVICE", help="auto (a GPU if there is one), cpu, cuda, or cuda:1.")
]
