"""Names of the files that serving reads, for those who only look whether they are there."""

from pathlib import Path

from alignrec_geo.errors import InputError

EMBEDDINGS = "embeddings.safetensors"
"""The tables of a run."""


def without_tables(folder: Path) -> InputError:
    """The error for a folder that holds no tables."""
    return InputError(f"{folder}: not a run folder with a trained model (no {EMBEDDINGS})")
