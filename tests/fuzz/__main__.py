"""``make fuzz``: changed files of every format that the program opens; each is read or refused with one clear error."""

import argparse
import json
import re
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import mkdtemp

from tests.fuzz.inputs import read_input
from tests.fuzz.runner import ROOT, run
from tests.fuzz.targets.all import TARGETS
from tests.fuzz.worker import Executor, random_of

OUT = ROOT / "build" / "fuzz"


def main() -> int:
    """Run the fuzzing, or repeat one input; 1 if there are faults."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "--target", action="append", choices=[target.name for target in TARGETS], help="only this one (may be repeated)"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="times the executions of a full run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument(
        "--messages", action="store_true", help="also print the different errors by which inputs were refused"
    )
    parser.add_argument("--repeat", type=Path, metavar="DIR", help="read the input of a fault again, in this process")
    given = parser.parse_args()
    if given.repeat is not None:
        return repeat(given.repeat)
    targets = [target for target in TARGETS if given.target is None or target.name in given.target]
    counts = {target.name: max(int(target.count * given.scale), 1) for target in targets}
    started = time.time()
    found = run(targets, counts, OUT, given.seed, given.jobs, told=True)
    (OUT / "faults.json").write_text(
        json.dumps(
            {name: {kind: len(cases) for kind, cases in one.faults.items()} for name, one in found.items()}, indent=2
        )
    )
    total, faults = sum(one.executions for one in found.values()), 0
    for name, one in found.items():
        if given.messages:
            for message, times in messages(one.refused).most_common():
                print(f"  {name} refused {times}: {message}")
        for kind, cases in one.faults.items():
            faults += len(cases)
            place = OUT / "faults" / f"{name}-{cases[0]['number']}"
            print(f"\nFAULT {name} ({len(cases)} times) {kind}\n  repeat: python -m tests.fuzz --repeat {place}")
    print(f"\n{total:,} executions in {time.time() - started:.0f} s (seed {given.seed}), {faults} faults")
    return int(faults > 0)


def messages(refused: Counter[str]) -> Counter[str]:
    """The refusals, those that differ in names and numbers only counted as one."""
    shapes: Counter[str] = Counter()
    for message, times in refused.items():
        shapes[re.sub(r"'[^']*'|\d+", "_", message)[:160]] += times
    return shapes


def repeat(place: Path) -> int:
    """Read the input of a fault again and let what happens happen."""
    fault = json.loads((place / "fault.json").read_text())
    target = next(target for target in TARGETS if target.name == fault["target"])
    rng = random_of(fault["seed"], fault["target"], fault["number"])
    from tests.fuzz.mutate import make_input
    from tests.fuzz.worker import load_seeds

    make_input(
        load_seeds(place.parents[1] / "seeds" / target.name), rng
    )  # draws what it drew, so that options are equal
    said = Executor(Path(mkdtemp(prefix="alignrec-fuzz-")))(target, read_input(place / "input"), rng)
    print(said or "read without an error")
    return int(said is not None and said[0] != "refused")


if __name__ == "__main__":
    sys.exit(main())
