"""What the verbs of the Hub share."""

import os
import sys

from alignrec_geo.cli.output import stderr


def quiet_bars(as_json: bool) -> None:
    """Leave out the progress bars of ``huggingface_hub`` where no person watches or wants any.

    It reads the variable when it is imported.
    """
    if as_json or stderr.quiet or not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
