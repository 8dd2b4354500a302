"""``alignrec-geo compare`` with the fake worker and without tables, as a program that tests start and kill.

python tests/comparison/program.py WORKER compare DATASET …
"""

import importlib.util
import sys
from types import SimpleNamespace


def main() -> None:
    found = importlib.util.find_spec("alignrec_geo")
    assert found is not None
    assert found.submodule_search_locations is not None
    parts = [f"{found.submodule_search_locations[0]}/reporting"]  # its other modules are there
    sys.modules["alignrec_geo.reporting"] = SimpleNamespace(write_report=lambda *given: None, __path__=parts)
    from alignrec_geo.cli import app
    from alignrec_geo.comparison import process, schedule

    process.COMMAND = (sys.executable, sys.argv.pop(1))
    schedule.POLL = schedule.WAIT = 0.02
    app.main()


if __name__ == "__main__":
    main()
