"""The tables and figures of a comparison: written at the end, and now and then before it."""

import time

from alignrec_geo.comparison.layout import Layout
from alignrec_geo.comparison.plan import Plan
from alignrec_geo.comparison.results import collect
from alignrec_geo.files import atomic_path, write_json
from alignrec_geo.locks import locked

PAUSE = 60.0
"""Seconds between partial reports at least, so that short runs do not wait for tables."""
SHARE = 20.0
"""Partial reports take no more than one part in so many of the time."""


class Reporter:
    """Writes ``results.json``, ``per_user.parquet`` and the report into the folder of a comparison.

    Args:
        layout: the comparison's folder.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._last, self._took = float("-inf"), 0.0

    def after_run(self) -> None:
        """Write what is there so far, unless that was done shortly before."""
        if time.monotonic() - self._last > max(PAUSE, SHARE * self._took):
            self.write()

    def write(self) -> dict[str, object]:
        """Write everything, and return the content of ``results.json``."""
        from alignrec_geo.reporting import write_report  # loads matplotlib, for which nobody waits at the start

        layout, started = self._layout, time.monotonic()
        with locked(layout.lock("report")):
            plan = Plan.load(layout.plan)  # another command may have added runs
            results, per_user = collect(plan, layout)
            with atomic_path(layout.per_user) as staging:
                per_user.write_parquet(staging)
            write_json(layout.results, results)
            if len(per_user):
                write_report(results, layout.root)
        self._last = time.monotonic()
        self._took = self._last - started
        return results
