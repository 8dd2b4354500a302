"""Every command that a page shows or a stored result names is one that the command line, or the benchmark, takes."""

import importlib
import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from harness.program import as_app

from alignrec_geo.cli.app import app
from tests.command_words import verb_of

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *(path for folder in ("benchmarks", "examples", "datasets") for path in sorted((ROOT / folder).rglob("README.md"))),
]
RESULTS = sorted((ROOT / "benchmarks" / "results").glob("*.json"))


def block_commands(text: str) -> Iterator[str]:
    """The lines that are typed in the console blocks of a page, continued lines in one piece."""
    for block in re.findall(r"^ *```(?:console|sh|bash|shell)\n(.*?)^ *```", text, flags=re.DOTALL | re.MULTILINE):
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            if line.lstrip().startswith("$ "):
                yield line.lstrip()[2:]


def stored_commands(file: Path) -> list[str]:
    """What the result names as its own making."""
    command = json.loads(file.read_text(encoding="utf-8")).get("command", [])
    return [command] if isinstance(command, str) else list(command)


def calls(line: str) -> Iterator[tuple[Any, list[str]]]:
    """The click command and the words of every call in a line, of this project's programs."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";|&<>")
    lexer.whitespace_split, lexer.commenters = True, "#"
    words = list(lexer)
    while words:
        end = next((number for number, word in enumerate(words) if set(word) <= set(";|&<>") and word), len(words))
        call, words = words[:end], words[end + 1 :]
        while call and re.fullmatch(r"[A-Z_]+=.*", call[0]):
            call = call[1:]
        if "..." in call:  # stands for what is to be filled in
            continue
        if call[:1] == ["alignrec-geo"]:
            yield command_line(), call[1:]
        elif call[:3] == ["python", "-m", "alignrec_geo"]:
            yield command_line(), call[3:]
        elif call[:2] == ["python", "benchmarks"] and len(call) > 2:
            yield benchmark(call[2]), call[3:]
        elif call[:1] == ["python"] and call[1:2] in (["benchmarks/compare.py"], ["benchmarks/layers.py"]):
            # a name, then the arguments of the verb
            yield command_line(), ["compare", *call[3:]]
        elif call[:2] == ["python", "benchmarks/gpu.py"]:
            yield program(ROOT / call[1]), call[2:]


@cache
def command_line() -> Any:
    """``alignrec-geo``."""
    return typer.main.get_command(app)


@cache
def benchmark(name: str) -> Any:
    """The command of ``python benchmarks NAME``."""
    found = [file for room in ("speed", "quality", "pages") for file in (ROOT / "benchmarks" / room).glob(f"{name}.py")]
    assert len(found) == 1, f"no benchmark is called '{name}'"
    return program(found[0])


def program(file: Path) -> Any:
    """The command of a program."""
    room = "" if file.parent.name == "benchmarks" else f"{file.parent.name}."
    module = importlib.import_module(room + file.stem)
    return typer.main.get_command(as_app(getattr(module, "app", None) or module.main))


def refusal(command: Any, words: list[str]) -> str | None:
    """Why the words are not taken; ``None`` where they are."""
    try:
        command, words = verb_of(command, words)
        for parameter in command.params:
            parameter.callback = None  # looks at what the words name, which need not be here
        command.make_context(command.name or "", list(words))
    except (typer.Exit, SystemExit):
        return None  # --help, --version
    except Exception as error:
        return getattr(error, "message", None) or str(error)
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_of_a_page_are_taken(page):
    lines = list(block_commands(page.read_text(encoding="utf-8")))
    refused = {line: why for line in lines for call in calls(line) if (why := refusal(*call))}
    assert not refused


@pytest.mark.parametrize("file", RESULTS, ids=lambda file: file.stem)
def test_the_command_of_a_result_is_taken(file):
    refused = {line: why for line in stored_commands(file) for call in calls(line) if (why := refusal(*call))}
    assert not refused


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("alignrec-geo fit data/shop", "no such command: fit"),
        ("alignrec-geo train data/shop --feature image", "No such option: --feature"),
        ("A=1 alignrec-geo evaluate x && python benchmarks knn --rounds", "rounds"),
        ("python benchmarks/gpu.py --nope | tee log", "No such option: --nope"),
    ],
)
def test_a_wrong_command_is_found_out(line, why):
    assert why in str([said for call in calls(line) if (said := refusal(*call))])


def test_a_right_command_is_taken():
    line = "alignrec-geo train --help; alignrec-geo --version; alignrec-geo evaluate runs/none"
    assert [refusal(*call) for call in calls(line)] == [None] * 3


def test_a_page_has_its_commands():
    lines = list(block_commands("```console\n$ alignrec-geo train data \\\n    --out x   # a comment\nsaid\n```\n"))
    assert lines == ["alignrec-geo train data  --out x   # a comment"]
    assert [words for _, words in calls(lines[0])] == [["train", "data", "--out", "x"]]
