"""Which trials are stopped before they end: those that are behind."""

from pathlib import Path
from statistics import median

from alignrec_geo.comparison.layout import Layout
from alignrec_geo.comparison.run import COST, PRUNED, Run, drop_served, is_over
from alignrec_geo.files import write_json
from alignrec_geo.records import read_epochs
from alignrec_geo.staging import remove_folder
from alignrec_geo.training.run_files import METRICS_FILE

STARTUP = 4
"""Trials that must have finished before one is compared with them."""
WARMUP = 10
"""Epochs that every trial gets."""

Curve = list[tuple[int, float]]
"""Epochs trained, and the best validation until then, at every validation."""


class MedianRule:
    r"""The median stopping rule of `"Google Vizier" <https://doi.org/10.1145/3097983.3098043>`_.

    A trial is stopped after epoch e if its best validation until e is worse than the median, over the trials that have
    finished, of theirs until e. One that finished before e counts with its best. The first :data:`STARTUP` trials and
    the first :data:`WARMUP` epochs of every trial are spared.

    Every epoch is looked at in its turn, however late it is read, so when trials run one after another the same ones
    are stopped at the same epochs again.

    Args:
        layout: the folder of the search.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._finished: dict[Path, Curve] = {}
        self._sizes: dict[Path, int] = {}

    def behind(self, run: Run) -> tuple[int, float] | None:
        """The epoch after which a trial that is being trained is to be stopped, and its best validation until then."""
        log = run.folder / METRICS_FILE
        size = log.stat().st_size if log.exists() else 0
        if size == self._sizes.get(run.folder, 0):
            return None
        self._sizes[run.folder] = size
        metric = run.config.training.metric
        for _, folder in self._layout.trials(run.model):
            if folder not in self._finished and (folder / COST).exists():
                self._finished[folder] = curve(folder, metric)
        others = list(self._finished.values())
        if len(others) < STARTUP:
            return None
        late = ((epochs, best) for epochs, best in curve(run.folder, metric) if epochs > WARMUP)
        return next(((e, best) for e, best in late if best < median(best_until(other, e) for other in others)), None)


def mark_pruned(folder: Path, epochs: int, value: float) -> None:
    """Mark a trial that was stopped, and delete what it would be continued from; one that is over stays as it is."""
    if is_over(folder):
        return
    write_json(folder / PRUNED, {"epochs": epochs, "value": value})
    if (folder / "checkpoint").is_dir():
        remove_folder(folder / "checkpoint")
    drop_served(folder)


def curve(folder: Path, metric: str) -> Curve:
    """The best validation of a run so far, by epochs trained."""
    found: Curve = []
    for record in read_epochs(folder / METRICS_FILE):
        value = (record.get("validation") or {}).get(metric)
        if value is not None:
            found.append((record["epoch"] + 1, max(value, found[-1][1]) if found else value))
    return found


def best_until(points: Curve, epochs: int) -> float:
    """The value of a curve after some epochs; before the first validation it is worse than any.

    Example:
        >>> best_until([(2, 0.1), (4, 0.3)], 3), best_until([(2, 0.1), (4, 0.3)], 9)
        (0.1, 0.3)
    """
    return max((best for at, best in points if at <= epochs), default=-1.0)
