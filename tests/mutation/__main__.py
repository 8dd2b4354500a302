"""``python -m tests.mutation``: draw mutants, run the tests that enter them, say which nobody noticed."""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.mutation.forked import Runner, copy_tree, run_fresh, warm_up, with_tests
from tests.mutation.outcome import Outcome
from tests.mutation.sample import PARTS, Mutant, draw, find_again
from tests.mutation.which_tests import Map, Plan, test_files

ROOT = Path(__file__).resolve().parents[2]

Record = dict[str, Any]


def main() -> None:
    """Run the sample, or part of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="mutants to draw")
    parser.add_argument("--seed", type=int, default=18)
    parser.add_argument("--parts", default=",".join(PARTS), help="packages to draw from")
    parser.add_argument("--only", default="", help="numbers of single mutants, run again: 17,45")
    parser.add_argument("--again", type=Path, help="run the survivors of another run's mutants.jsonl on this code")
    parser.add_argument("--own", action="store_true", help="ask only the tests of the mutant's own package")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "mutation", help="where records are kept")
    options = parser.parse_args()

    out: Path = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    copy_tree(ROOT, out / "copy")
    only = {int(number) for number in options.only.split(",") if number}
    parts = tuple(options.parts.split(","))
    mutants = _again(options.again, only) if options.again else draw(ROOT, options.count, options.seed, parts)
    trial = Trial(out)
    stored = trial.records()
    for stage in ("own",) if options.own else ("own", "wider"):
        for part in parts:
            due = [mutant for mutant in mutants if mutant.part == part and (not only or mutant.number in only)]
            if stage == "own" and not only:
                due = [mutant for mutant in due if not _same(stored.get(mutant.number), mutant)]
            elif stage == "wider":
                records = trial.records()
                due = [mutant for mutant in due if records[mutant.number]["status"] == "survived"]
                due = [mutant for mutant in due if records[mutant.number]["stage"] != "wider"]
            if due:
                trial.run(stage, due, [part] if stage == "own" else [other for other in PARTS if other != part])
    records = trial.records()
    summary([records[mutant.number] for mutant in mutants if mutant.number in records])


class Trial:
    """Runs tests on mutants and keeps the records.

    Args:
        out: folder with the copied tree, the records and the map of tests.
    """

    def __init__(self, out: Path) -> None:
        self.copy, self.scratch, self.store = out / "copy", out / "scratch", out / "mutants.jsonl"
        self.stdout, self.fair = os.dup(1), set[str]()
        self.tests = Map(self.copy, out / "tests.json", self.say)
        warm_up()

    def run(self, stage: str, mutants: list[Mutant], parts: list[str]) -> None:
        """Ask the tests of some packages about mutants."""
        files = [file for part in parts for file in test_files(self.copy, part)]

        def inside(runner: Runner) -> None:
            self.tests.measure(runner, files)
            for mutant in mutants:
                if mutant.change.function and "/triton/" not in mutant.file:
                    path = self.copy / mutant.file

                    def ask(plan: Plan, wall: float, path: Path = path) -> Outcome:
                        return runner.run(hangs_after(plan), wall, changed=path)

                    self.one(stage, mutant, files, ask, fresh=False)

        trouble = with_tests(self.copy, files, self.scratch, inside)
        if trouble is not None:
            raise SystemExit(f"the tests cannot be collected: {trouble}; see {self.scratch / 'output.txt'}")
        self.tests.read()
        for mutant in mutants:
            if not mutant.change.function or "/triton/" in mutant.file:

                def ask(plan: Plan, wall: float) -> Outcome:
                    paths = [path for path, _ in plan]
                    return run_fresh(self.copy, paths, hangs_after(plan), self.scratch / "fresh", wall)

                self.one(stage, mutant, files, ask, fresh=True)

    def one(
        self,
        stage: str,
        mutant: Mutant,
        files: list[str],
        ask: Callable[[Plan, float], Outcome],
        fresh: bool,
    ) -> None:
        """Run one mutant until a test notices it, and keep the record."""
        started, outcome, ran, fair = time.monotonic(), Outcome("passed"), 0, False
        while not fair:
            plan = self.tests.plan(mutant, files)
            outcome, ran, fair = Outcome("passed"), 0, True
            with mutated(self.copy, mutant):
                for group in groups(plan) if fresh else [plan] if plan else []:
                    ran += sum(len(tests) for _, tests in group)
                    outcome = ask(group, 200 + 10 * cost_of(group))
                    if outcome.status != "passed":
                        break
            fair = outcome.noticed is None or self.passes(outcome.noticed, ask)
        record = mutant.record() | {
            "status": {"passed": "survived", "failed": "noticed"}.get(outcome.status, outcome.status),
            "stage": stage,
            "test": outcome.noticed,
            "tests": ran,
            "seconds": round(time.monotonic() - started, 1),
        }
        with self.store.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")
        self.say(line(record))

    def passes(self, test: str, ask: Callable[[Plan, float], Outcome]) -> bool:
        """Whether a test passes on the code as it is; one that does not is asked no more."""
        path = test.partition("::")[0]
        seconds = self.tests.files.get(path, {"tests": {}})["tests"].get(test, {"seconds": None})["seconds"]
        if seconds is None or test in self.fair:  # a collection that failed, or a test that is known
            return True
        if ask([(path, {test: seconds})], 200 + 10 * seconds).status == "passed":
            self.fair.add(test)
            return True
        self.say(f"fails without any change: {test}")
        self.tests.drop(test)
        return False

    def records(self) -> dict[int, Record]:
        """The last record of every mutant."""
        return read_records(self.store)

    def say(self, text: str) -> None:
        """Print at once, past what captures the output of tests."""
        os.write(self.stdout, (text + "\n").encode())


@contextmanager
def mutated(copy: Path, mutant: Mutant) -> Iterator[None]:
    """Change the file of a mutant for a while; its time changes too, by which compiled files go."""
    path = copy / mutant.file
    source, times = path.read_bytes(), path.stat()
    try:
        path.write_bytes(mutant.change.apply(source))
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns + 10**13))
        yield
    finally:
        path.write_bytes(source)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def cost_of(plan: Plan) -> float:
    """The seconds that tests take."""
    return sum(seconds for _, tests in plan for seconds in tests.values())


def hangs_after(plan: Plan) -> dict[str, float]:
    """The seconds of processor time after which each test has hung."""
    return {test: 8 + 5 * seconds for _, tests in plan for test, seconds in tests.items()}


def groups(plan: Plan) -> list[Plan]:
    """Split test files into runs of about ten seconds, the first file alone: a start takes one or two."""
    made: list[Plan] = []
    cost = 0.0
    for file in plan:
        cost += cost_of([file])
        if len(made) < 2 or cost > 10:
            made.append([])
            cost = cost_of([file])
        made[-1].append(file)
    return made


def read_records(store: Path) -> dict[int, Record]:
    """The last record of every mutant in a file."""
    if not store.exists():
        return {}
    rows = [json.loads(row) for row in store.read_text(encoding="utf-8").splitlines()]
    return {row["number"]: row for row in rows}


def line(record: Record) -> str:
    """One mutant in one line."""
    before, after = (" ".join(record[side].split()) for side in ("before", "after"))
    place = f"{record['file']}:{record['line']}"
    change = f"{before[:60]!r} -> {after[:60]!r}"
    by = record["test"] or f"{record['tests']} tests"
    return f"{record['number']:4} {record['status']:8} {place}  {change}  {by} ({record['seconds']} s)"


def summary(records: list[Record]) -> None:
    """Print how many were noticed, by package, and those that were not."""
    print()
    for part in [*PARTS, "all"]:
        of = [row for row in records if part in ("all", Path(row["file"]).parts[1])]
        noticed = [row for row in of if row["status"] != "survived"]
        own = sum(row["stage"] == "own" for row in noticed)
        if of:
            print(f"{part:12} {len(noticed)} of {len(of)} noticed, {own} by the tests of its own package")
    for record in records:
        if record["status"] == "survived":
            print(line(record))
            print(f"       {record['text']}")


def _same(record: Record | None, mutant: Mutant) -> bool:
    """Whether a record is of this mutant."""
    return record is not None and (record["file"], record["text"], record["before"], record["after"]) == mutant.key


def _again(stored: Path, only: set[int]) -> list[Mutant]:
    rows = [row for row in read_records(stored).values() if row["status"] == "survived" or row["number"] in only]
    found = find_again(ROOT, rows)
    for row in rows:
        if row["number"] not in found:
            print(f"gone: {line(row)}")
    return list(found.values())


if __name__ == "__main__":
    main()
