"""Which mutants are drawn."""

import random
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.mutation.mutants import Change, find_changes

PARTS = ("training", "evaluation", "graph", "nn", "models", "serving", "dataset", "kernels")
"""The packages whose answers matter."""

WIDE = 0.25
"""Of the lines where only arguments can be swapped or a result removed, which is easily noticed, this share counts."""


@dataclass(frozen=True)
class Mutant:
    """A change of one file.

    Args:
        number: its number in the sample.
        file: path of the file from the root of the project.
        change: what is changed.
        text: the line before, without its indentation, by which the mutant is found again in later code.
    """

    number: int
    file: str
    change: Change
    text: str

    @property
    def part(self) -> str:
        """The package it is in."""
        return Path(self.file).parts[1]

    def record(self) -> dict[str, Any]:
        """What is stored of it."""
        return {"number": self.number, "file": self.file, **asdict(self.change), "text": self.text}

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What it is, wherever it stands: file, line, and what is changed."""
        return self.file, self.text, self.change.before, self.change.after


def draw(root: Path, count: int, seed: int, parts: tuple[str, ...] = PARTS) -> list[Mutant]:
    """Draw mutants of distinct lines, from every package in proportion to its lines."""
    files = {part: sorted((root / "alignrec_geo" / part).rglob("*.py")) for part in parts}
    lines = {part: sum(len(path.read_bytes().splitlines()) for path in paths) for part, paths in files.items()}
    chosen: list[Mutant] = []
    for part in parts:
        random_ = random.Random(f"{seed} {part}")
        by_line: dict[tuple[Path, int], list[Change]] = {}
        for path in files[part]:
            for change in find_changes(path.read_bytes()):
                by_line.setdefault((path, change.line), []).append(change)
        for place, changes in list(by_line.items()):
            tokens = [change for change in changes if not change.wide]
            by_line[place] = tokens or changes
            if not tokens and random_.random() > WIDE:
                del by_line[place]
        share = round(count * sum(list(lines.values())[: parts.index(part) + 1]) / sum(lines.values())) - len(chosen)
        for path, line in random_.sample(sorted(by_line), min(share, len(by_line))):
            change = random_.choice(by_line[path, line])
            chosen.append(make(len(chosen) + 1, root, path, change))
    return chosen


def make(number: int, root: Path, path: Path, change: Change) -> Mutant:
    """Make a mutant of a change in a file."""
    text = path.read_text(encoding="utf-8").splitlines()[change.line - 1].strip()
    return Mutant(number, str(path.relative_to(root)), change, text)


def find_again(root: Path, records: list[dict[str, Any]]) -> dict[int, Mutant]:
    """Find stored mutants in the code as it is now, by their line's text; those whose line is gone are left out."""
    found: dict[int, Mutant] = {}
    for record in records:
        path = root / record["file"]
        candidates = [
            mutant
            for mutant in (
                make(record["number"], root, path, change)
                for change in (find_changes(path.read_bytes()) if path.exists() else [])
                if (change.before, change.after) == (record["before"], record["after"])
            )
            if mutant.text == record["text"]
        ]
        if candidates:
            found[record["number"]] = min(candidates, key=lambda mutant: abs(mutant.change.line - record["line"]))
    return found
