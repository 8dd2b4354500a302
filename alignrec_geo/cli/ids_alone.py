"""Models that learn from content, on a data set that has none: what the user may not know is said."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from alignrec_geo.cli.output import print_notes

if TYPE_CHECKING:
    from alignrec_geo.dataset.store import Dataset


def note_ids_alone(dataset: "Dataset", models: Iterable[str]) -> None:
    """Print a note if a data set has no features and a model would use some.

    Args:
        dataset: all of whose features are to be used.
        models: names of models.
    """
    from alignrec_geo.models.registry import find_model

    if dataset.feature_names:
        return
    having = [name for name in models if find_model(name).uses_features]
    if having:
        run = f"{', '.join(having)} {'runs' if len(having) == 1 else 'run'} on ids alone"
        print_notes([f"data set '{dataset.name}' has no features; {run}, or not at all"])
