"""What the verbs of the Hub share."""

import sys
from importlib.util import find_spec


def quiet_bars(as_json: bool) -> None:
    """Leave out the progress bars of ``huggingface_hub`` where no person watches."""
    if find_spec("huggingface_hub") is not None and (as_json or not sys.stderr.isatty()):
        from huggingface_hub.utils.tqdm import disable_progress_bars

        disable_progress_bars()
