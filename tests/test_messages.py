"""Messages of the library name Python's parameters; the command line alone names options."""

import ast
import re
from pathlib import Path

import pytest
import typer

import alignrec_geo
from alignrec_geo.cli.app import app
from alignrec_geo.cli.flags import OTHERWISE, PARAMETERS, in_options

PACKAGE = Path(alignrec_geo.__file__).parent
COMMANDS = {"engine.py", "searching.py", "process.py", "worker.py", "compile.py"}
"""Files that put commands together."""
WHOLE_COMMAND = re.compile(r"pip install|alignrec-geo|features export")


def texts(path):
    """The texts of a file that are no docstrings, f-strings whole."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in bare | inner:
            yield node.lineno, node.value


def test_no_message_of_the_library_names_an_option():
    found = [
        f"{path.relative_to(PACKAGE)}:{line}: {text}"
        for path in PACKAGE.rglob("*.py")
        if "cli" not in path.parts and path.name not in COMMANDS
        for line, text in texts(path)
        if re.search(r"(?<![\w-])--[a-z]", text) and not WHOLE_COMMAND.search(text)
    ]
    assert found == []


def options(group):
    for command in getattr(group, "commands", {}).values():
        yield from (option for parameter in command.params for option in parameter.opts)
        yield from options(command)


def test_every_parameter_has_an_option():
    there = set(options(typer.main.get_command(app)))
    for name in (*PARAMETERS, *OTHERWISE):
        assert in_options(f"{name}=").split()[0] in there, name


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("pass overwrite=True", "pass --overwrite"),
        ("pass resume=True to go on, or another name=", "pass --resume to go on, or another --name"),
        ("a separator: separator=';'", "a separator: --separator ';'"),
        ("split_unused='-1'", "--split-unused -1"),
        ("split='part' and rule='random' contradict", "--split part and --rule random contradict"),
        ("Try a lower learning rate (lr=…) or", "Try a lower learning rate (--set lr=…) or"),
        ("text= needs a file of items; name it with items=", "--text needs a file of items; name it with --items"),
        ("unknown setting (got 'name=x')", "unknown setting (got 'name=x')"),
        ("training.lr=… and dim=8, x_name= too", "training.lr=… and dim=8, x_name= too"),
    ],
)
def test_in_options(said, shown):
    assert in_options(said) == shown
