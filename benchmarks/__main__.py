"""Run a benchmark.

    python benchmarks                                what there is, and the question that each program answers
    python benchmarks kernels --dataset data/baby    one of them; --help after its name lists its options

``compare.py``, ``layers.py`` and ``gpu.py`` are programs of their own: ``python benchmarks/compare.py``.
"""

import ast
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

from alignrec_geo.deferred_imports import defer_imports
from alignrec_geo.errors import InputError

HERE = Path(__file__).parent
ROOMS = ("speed", "quality", "pages")


def programs(rooms: tuple[str, ...] = ROOMS) -> Iterator[Path]:
    """The files that can be run, by folder."""
    for room in rooms:
        yield from (file for file in sorted((HERE / room).glob("*.py")) if is_program(file))


def is_program(file: Path) -> bool:
    """Whether a file does something when it is run."""
    return "\nif __name__ ==" in file.read_text(encoding="utf-8")


def summary(file: Path) -> str:
    """The first line of a program's docstring."""
    return (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").partition("\n")[0]


def listing() -> str:
    """All programs with what they tell."""
    found = list(programs())
    width = max(len(file.stem) for file in found)
    lines = []
    for room in ROOMS:
        lines += [
            f"{room}/",
            *(f"  {file.stem:{width}}  {summary(file)}" for file in found if file.parent.name == room),
        ]
    return "\n".join([*lines, "", "python benchmarks NAME --help lists the options of one"])


def main() -> None:
    """Run the program that is named."""
    defer_imports()
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        print(listing())
        return
    name = sys.argv[1]
    file = next((file for file in programs((*ROOMS, "harness")) if file.stem == name), None)
    if file is None:
        sys.exit(f"no benchmark is called '{name}'\n\n{listing()}")
    del sys.argv[1]
    try:
        runpy.run_module(f"{file.parent.name}.{name}", run_name="__main__", alter_sys=True)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
