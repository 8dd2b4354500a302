"""``python -m tests.mutation``: draw mutants, run the tests that enter them, say which nobody noticed."""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.mutation.forked import Outcome, copy_tree, run_tests, warm_up
from tests.mutation.sample import PARTS, Mutant, draw, find_again
from tests.mutation.which_tests import WIDER, Map

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Run the sample, or part of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="mutants to draw")
    parser.add_argument("--seed", type=int, default=18)
    parser.add_argument("--parts", default=",".join(PARTS), help="packages to draw from")
    parser.add_argument("--only", default="", help="numbers of single mutants, run again: 17,45")
    parser.add_argument("--again", type=Path, help="run the survivors of another run's mutants.jsonl on this code")
    parser.add_argument("--own", action="store_true", help="only the tests of the mutant's own package")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "mutation", help="where records are kept")
    options = parser.parse_args()

    out: Path = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    copy, scratch, store = out / "copy", out / "scratch", out / "mutants.jsonl"
    copy_tree(ROOT, copy)
    only = {int(number) for number in options.only.split(",") if number}
    if options.again is not None:
        mutants = _again(options.again, only)
    else:
        mutants = draw(ROOT, options.count, options.seed, tuple(options.parts.split(",")))
    records = {} if options.again is not None else read_records(store)
    warm_up()
    tests = Map(copy, out / "tests.json", scratch, say)
    for mutant in mutants:
        if only and mutant.number not in only:
            continue
        done = records.get(mutant.number)
        if done is not None and _same(done, mutant) and not only and (done["status"] != "survived" or options.own):
            continue
        record = try_mutant(mutant, tests, copy, scratch, own=options.own)
        records[mutant.number] = record
        with store.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")
        say(line(record))
    summary([records[mutant.number] for mutant in mutants if mutant.number in records])


def try_mutant(mutant: Mutant, tests: Map, copy: Path, scratch: Path, *, own: bool) -> dict[str, Any]:
    """Run a mutant until a test notices it."""
    started = time.monotonic()
    stages = [("own", (mutant.part,))]
    if not own:
        stages.append(("wider", tuple(part for part in (*PARTS, *WIDER) if part != mutant.part)))
    plan = [(stage, tests.order(mutant, parts)) for stage, parts in stages[:1]]
    path = copy / mutant.file
    source, times = path.read_bytes(), path.stat()
    outcome, by, ran = Outcome("passed"), None, 0
    try:
        path.write_bytes(mutant.change.apply(source))
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns + 10**13))  # compiled files go by the time
        for stage, parts in stages:
            if stage == "wider":
                path.write_bytes(source)
                os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
                plan.append((stage, tests.order(mutant, parts)))  # may have to measure unchanged code
                path.write_bytes(mutant.change.apply(source))
                os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns + 10**13))
            for group in groups(plan[-1][1]):
                cost = sum(seconds for _, _, seconds in group)
                wanted = [test for _, ids, _ in group for test in ids]
                ran += len(wanted)
                outcome = run_tests(
                    copy,
                    [file for file, _, _ in group],
                    wanted,
                    scratch=scratch,
                    cpu=40 + 4 * cost,
                    wall=180 + 15 * cost,
                )
                if outcome.status != "passed":
                    by = stage
                    break
            if by is not None:
                break
    finally:
        path.write_bytes(source)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    status = "survived" if by is None else {"failed": "noticed"}.get(outcome.status, outcome.status)
    seconds = round(time.monotonic() - started, 1)
    return mutant.record() | {"status": status, "stage": by, "test": outcome.noticed, "tests": ran, "seconds": seconds}


def groups(files: list[tuple[str, list[str], float]]) -> list[list[tuple[str, list[str], float]]]:
    """Split test files into runs of about ten seconds: a start takes one."""
    made: list[list[tuple[str, list[str], float]]] = []
    cost = 0.0
    for file in files:
        if not made or len(made) == 1 or cost + file[2] > 10:
            made.append([])
            cost = 0.0
        made[-1].append(file)
        cost += file[2]
    return made


def read_records(store: Path) -> dict[int, dict[str, Any]]:
    """The last record of every mutant."""
    if not store.exists():
        return {}
    rows = [json.loads(row) for row in store.read_text(encoding="utf-8").splitlines()]
    return {row["number"]: row for row in rows}


def line(record: dict[str, Any]) -> str:
    """One mutant in one line."""
    before, after = (" ".join(record[side].split()) for side in ("before", "after"))
    place = f"{record['file']}:{record['line']}"
    by = record["test"] or ""
    change = f"{before[:60]!r} -> {after[:60]!r}"
    return f"{record['number']:4} {record['status']:8} {place}  {change}  {by} ({record['seconds']} s)"


def summary(records: list[dict[str, Any]]) -> None:
    """Print how many were noticed, by package, and those that were not."""
    print()
    for part in [*PARTS, "all"]:
        of = [row for row in records if part in ("all", Path(row["file"]).parts[1])]
        own, noticed = (
            sum(row["status"] != "survived" and (row["stage"] == "own" or not only) for row in of)
            for only in (True, False)
        )
        if of:
            print(f"{part:12} {noticed} of {len(of)} noticed, {own} by the tests of its own package")
    for record in records:
        if record["status"] == "survived":
            print(line(record))
            print(f"       {record['text']}")


def say(text: str) -> None:
    """Print at once."""
    print(text, flush=True)


def _same(record: dict[str, Any], mutant: Mutant) -> bool:
    return (record["file"], record["text"], record["before"], record["after"]) == mutant.key


def _again(stored: Path, only: set[int]) -> list[Mutant]:
    rows = [row for row in read_records(stored).values() if row["status"] == "survived" or row["number"] in only]
    found = find_again(ROOT, rows)
    for row in rows:
        if row["number"] not in found:
            say(f"gone: {line(row)}")
    return list(found.values())


if __name__ == "__main__":
    main()
