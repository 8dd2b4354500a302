"""``alignrec-geo compare`` with the fake worker and without tables, as a program that tests start and kill.

python tests/comparison/program.py WORKER compare DATASET …
"""

import sys
from types import ModuleType


def main() -> None:
    import alignrec_geo

    stub = ModuleType("alignrec_geo.reporting")
    stub.__path__ = [f"{alignrec_geo.__path__[0]}/reporting"]  # its other modules are as they are
    stub.write_report = lambda *given: None  # type: ignore[attr-defined]
    sys.modules[stub.__name__] = stub
    from alignrec_geo.cli import app
    from alignrec_geo.comparison import process, schedule

    process.COMMAND = (sys.executable, sys.argv.pop(1))
    schedule.POLL = schedule.WAIT = 0.02
    app.main()


if __name__ == "__main__":
    main()
