"""The first line of a verb that works for a while: which data set it has, said before anything heavy is loaded."""

from pathlib import Path

from alignrec_geo.cli.output import stderr


def say_data_set(folder: Path) -> None:
    """Print the name and the counts of a data set on standard error.

    Raises:
        InputError: the folder holds none.
    """
    from alignrec_geo.dataset.manifest import found_manifest

    found = found_manifest(folder)
    counts = ", ".join(f"{found.counts.get(part, 0):,} {part}" for part in ("users", "items", "interactions"))
    stderr.print(f"{found.name}: {counts}", soft_wrap=True)
