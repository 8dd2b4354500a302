"""The comparison of all models: ``alignrec-geo compare``, with the results also stored in ``benchmarks/results``.

    python benchmarks/compare.py NAME data/tiktok --features image,audio --protocol mmrec --trials 8 --out runs/tiktok

writes ``benchmarks/results/NAME.json`` when every run is over; every other argument is that of the verb.
"""

import shutil
import subprocess
import sys
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Run the verb, then copy its results."""
    if len(sys.argv) < 3 or "--out" not in sys.argv[:-1]:
        sys.exit(__doc__)
    name, arguments = sys.argv[1], sys.argv[2:]
    done = subprocess.run([sys.executable, "-m", "alignrec_geo.cli.app", "compare", *arguments], check=False)
    if done.returncode == 0:
        out = Path(arguments[arguments.index("--out") + 1])
        shutil.copyfile(out / "results.json", RESULTS / f"{name}.json")
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
