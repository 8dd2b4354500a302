"""The trackers of one run, none of which can end it: what one of them raises is one warning."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from alignrec_geo.files import read_object, write_json
from alignrec_geo.observer import Observer
from alignrec_geo.reading import first_line
from alignrec_geo.records import RunResult, read_epochs, read_record
from alignrec_geo.settings import read_yaml
from alignrec_geo.training.result import FitResult
from alignrec_geo.training.run_config import RunConfig, flat_settings
from alignrec_geo.training.run_files import CONFIG, METRICS_FILE, RESULT, TRACKING
from alignrec_geo.training.run_folder import RunFolder
from alignrec_geo.training.tracking.choose import trackers
from alignrec_geo.training.tracking.tracker import Tracker


class Tracking(Observer):
    """Tells every tracker of a run, and keeps in the folder by what each finds its record again.

    Args:
        names: see :func:`~alignrec_geo.training.tracking.choose.trackers`.
        folder: the run folder, ``None`` without one.

    Raises:
        InputError: one is not installed.
    """

    def __init__(self, names: Sequence[str], folder: RunFolder | None) -> None:
        self._folder = folder
        self._called = None if folder is None else folder.path.name  # it lies elsewhere until it has an epoch
        self._living = trackers(names, None if folder is None else lambda: folder.path)
        self._records: dict[str, str] = {}
        self._saved = True

    @contextmanager
    def of(self, config: RunConfig, dataset: str, resume: bool) -> Iterator[None]:
        """Open the records of a run for the block; an error in it closes them as failed.

        Args:
            config: its settings.
            dataset: name of the data set; the record does not say where it lies.
            resume: whether the run in the folder is continued.
        """
        called = self._called or config.model
        settings = {**flat_settings(config), "dataset": dataset}
        before = self._stored() if resume else {}
        for tracker in list(self._living):
            with self._unharmed(tracker):
                record = tracker.run_started(called, settings, before.get(tracker.name))
                if record is not None:
                    self._records[tracker.name], self._saved = record, False
        try:
            yield
        except BaseException as error:
            for tracker in list(self._living):
                with self._unharmed(tracker):
                    tracker.run_failed(stopped=isinstance(error, KeyboardInterrupt))
            raise

    def epoch_done(self, record: Mapping[str, Any]) -> None:
        """Tell every tracker."""
        self._save()
        for tracker in list(self._living):
            with self._unharmed(tracker):
                tracker.epoch_done(record)

    def ended(self, result: FitResult) -> None:
        """Tell every tracker how the run ended; its folder is complete."""
        self._save()
        measured = {"test": result.metrics, "validation": result.validation}
        metrics = {f"best/{part}/{name}": value for part, values in measured.items() for name, value in values.items()}
        with TemporaryDirectory(prefix="alignrec-geo-report-") as made:
            files: list[Path] = []
            if self._folder is not None and self._records:
                files = [_report(self._folder.path, Path(made)), self._folder.path / CONFIG, self._folder.path / RESULT]
            for tracker in list(self._living):
                with self._unharmed(tracker):
                    tracker.run_ended(metrics, files)

    def _stored(self) -> dict[str, str]:
        file = None if self._folder is None else self._folder.path / TRACKING
        stored = read_object(file) if file is not None and file.exists() else {}
        return {name: record for name, record in stored.items() if isinstance(record, str)}

    def _save(self) -> None:
        if self._folder is not None and not self._saved:
            write_json(self._folder.path / TRACKING, {**self._stored(), **self._records})
            self._saved = True

    @contextmanager
    def _unharmed(self, tracker: Tracker) -> Iterator[None]:
        """Drop a tracker that fails, with a warning."""
        try:
            yield
        except Exception as error:
            self._living.remove(tracker)
            warnings.warn(
                f"{tracker.name}: {first_line(error)}; the run goes on and is not logged there any more", stacklevel=1
            )


def _report(folder: Path, to: Path) -> Path:
    """The report of a run as it may leave the machine: without the users and items that the one in its folder shows."""
    from alignrec_geo.reporting.run_report import REPORT, run_page  # most runs need none here

    result = read_record(folder / RESULT, RunResult)
    page = run_page(read_yaml(folder / CONFIG), read_epochs(folder / METRICS_FILE), result)
    (to / REPORT).write_text(page, encoding="utf-8")
    return to / REPORT
