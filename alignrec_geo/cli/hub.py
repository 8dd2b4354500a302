"""What the verbs of the Hub share."""

import os
import sys


def quiet_bars(as_json: bool) -> None:
    """Leave out the progress bars of ``huggingface_hub`` where no person watches; it reads this when it is imported."""
    if as_json or not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
