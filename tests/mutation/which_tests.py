"""Which tests enter which function, measured once per test file."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.mutation.forked import Runner
from tests.mutation.sample import Mutant

Plan = list[tuple[str, dict[str, float]]]
"""Test files, the tests to run of each in their order, and the seconds that each takes."""


TRITON = "tests/kernels/triton"
"""What the map holds for the Triton kernels: the tests that run them do it in a process of their own."""


def test_files(root: Path, part: str) -> list[str]:
    """The test files of a package, and its modules that have doctests."""
    files = [str(path.relative_to(root)) for path in sorted((root / "tests" / part).rglob("test_*.py"))]
    files = [path for path in files if not path.startswith(TRITON + "/")]  # run by test_triton_interpreted
    doctests = [str(path.relative_to(root)) for path in sorted((root / "alignrec_geo" / part).rglob("*.py"))]
    return files + [path for path in doctests if ">>> " in (root / path).read_text(encoding="utf-8")]


class Map:
    """Which tests enter which function.

    Args:
        copy: the copied tree that tests run in.
        store: JSON file where the map is kept.
        say: told about progress.
    """

    def __init__(self, copy: Path, store: Path, say: Callable[[str], None]) -> None:
        self.copy, self.store, self.say = copy, store, say
        self.files: dict[str, Any] = json.loads(store.read_text()) if store.exists() else {}

    def read(self) -> None:
        """Read what a fork has measured."""
        self.files = json.loads(self.store.read_text()) if self.store.exists() else {}

    def measure(self, runner: Runner, files: list[str]) -> None:
        """Run the test files that are new or have changed, and note what they enter."""
        for path in files:
            hashed = hashlib.sha256((self.copy / path).read_bytes()).hexdigest()
            if self.files.get(path, {}).get("hash") == hashed:
                continue
            own = {name: 600.0 for name in runner.items if name.partition("::")[0] == path}
            outcome = runner.run(own, wall=7200, trace=True)
            tests = {
                name: {
                    "seconds": seconds,
                    "enters": [TRITON] if "triton_int" in path else outcome.reached.get(name, []),
                }
                for name, seconds in outcome.passed.items()
            }
            self.say(f"{path}: {len(tests)} tests, {sum(outcome.passed.values()):.1f} s {outcome.noticed or ''}")
            self.files[path] = {"hash": hashed, "tests": tests}
            self.store.write_text(json.dumps(self.files))

    def drop(self, test: str) -> None:
        """Forget a test."""
        del self.files[test.partition("::")[0]]["tests"][test]
        self.store.write_text(json.dumps(self.files))

    def plan(self, mutant: Mutant, files: list[str]) -> Plan:
        """Return the tests to run on a mutant, the likeliest first.

        A file counts from the first of its tests that enters the function: what a fixture of the whole file or a cache
        has entered, later tests have used too.
        """
        wanted = self._functions(mutant)
        chosen: list[tuple[tuple[bool, float], str, dict[str, float]]] = []
        name = Path(mutant.file).stem
        for path in files:
            tests: dict[str, dict[str, Any]] = self.files[path]["tests"]
            entering = {test for test, entry in tests.items() if wanted(entry["enters"])}
            if not entering:
                continue
            ids = sorted(tests, key=lambda test: (test not in entering, tests[test]["seconds"]))
            near = path.endswith((f"/test_{name}.py", mutant.file))
            cost = sum(tests[test]["seconds"] for test in entering)
            chosen.append(((not near, cost), path, {test: tests[test]["seconds"] for test in ids}))
        return [(path, seconds) for _, path, seconds in sorted(chosen, key=lambda each: each[:2])]

    def _functions(self, mutant: Mutant) -> Callable[[list[str]], bool]:
        if mutant.part == "kernels" and "/triton/" in mutant.file:
            return lambda enters: TRITON in enters
        if mutant.change.function:
            name = f"{mutant.file}::{mutant.change.function}"
            return lambda enters: any(each == name or each.startswith(name + ".") for each in enters)
        near = {mutant.file, *importers(self.copy, mutant.file)}
        # a test that enters nothing looks at constants
        return lambda enters: not enters or any(each.partition("::")[0] in near for each in enters)


def importers(root: Path, file: str) -> list[str]:
    """The modules that import a module by its own name."""
    module = ".".join(Path(file).with_suffix("").parts)
    package, _, stem = module.rpartition(".")
    found = []
    for path in sorted((root / "alignrec_geo").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if f"{module} import" in text or f"import {module}" in text or f"from {package} import {stem}" in text:
            found.append(str(path.relative_to(root)))
    return found
