"""Text of the data is text: no markup, no control characters, in tables, lines, help and errors."""

import inspect
import json
import re

import numpy as np
import polars as pl
import pytest
import typer
from rich.table import Table

from alignrec_geo.cli.app import app
from alignrec_geo.cli.help import plain_help
from alignrec_geo.cli.output import PlainConsole, print_json
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.serving.store import save_embeddings

TITLES = [
    "AC/DC [/live]",
    "Shoe [red] new",
    "Mug :heart: \\[b]",
    "T\x1b]0;pwn\x07\x1b[2J",
    "two\nlines\u202e",
    "日本 ☕",
]
SHOWN = [
    "AC/DC [/live]",
    "Shoe [red] new",
    "Mug :heart: \\[b]",
    "T\\x1b]0;pwn\\x07\\x1b[2J",
    "two lines\\u202e",
    "日本 ☕",
]


@pytest.fixture
def run(tmp_path, verb):
    """A folder as training leaves it: twelve users, six items with awkward titles, tables that rank them all."""
    rows = [(f"u{u}", f"i{i}") for u in range(12) for i in range(6) if (u + i) % 3]
    pl.DataFrame(rows, schema=["user", "item"], orient="row").write_csv(tmp_path / "clicks.csv")
    items = [{"item": f"i{n}", "title": title} for n, title in enumerate(TITLES)]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    line = ("data", "import", "table", tmp_path / "clicks.csv", "--items", tmp_path / "items.jsonl", "--title", "title")
    done = verb(*line, "--out", tmp_path / "data", "--name", "shop [/b]")
    assert done.code == 0, done.err
    from alignrec_geo.dataset import Dataset

    data = Dataset.open(tmp_path / "data")
    rng = np.random.default_rng(0)
    import torch

    tables = [torch.from_numpy(rng.normal(size=(n, 4)).astype("float32")) for n in (12, 6)]
    save_embeddings(tmp_path / "run", Embeddings(*tables), data)
    return tmp_path / "run"


def control_characters(text):
    return re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


def test_titles_are_printed_as_they_are(run, verb):
    printed = verb("similar", run, "--item", "i5", "-k", 5).out + verb("similar", run, "--item", "i0", "-k", 5).out
    for title in SHOWN:
        assert title in printed
    assert control_characters(printed) == []
    lines = [line for line in printed.splitlines() if line.startswith("│")]
    console = PlainConsole()
    assert len({console.render_str(line).cell_len for line in lines}) <= 2  # wide letters and emoji align in each table
    assert verb("recommend", run, "--user", "u1", "-k", 6, "--unknown", "popular").code == 0


def test_json_is_exact_and_safe_to_print(run, verb):
    done = verb("similar", run, "--item", "i5", "-k", 5, "--json")
    assert {entry["title"] for entry in json.loads(done.out)["similar"]} == set(TITLES[:5])
    assert control_characters(done.out) == []


def test_json_where_the_output_has_few_letters(monkeypatch):
    import io
    import sys

    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    print_json({"a": "é ☕ 😀 \udcff\x9b"})
    sys.stdout.flush()
    assert json.loads(raw.getvalue()) == {"a": "é ☕ 😀 \udcff\x9b"}


def test_names_and_ids_in_lines_and_errors(run, verb, tmp_path):
    assert "shop [/b]" in verb("data", "describe", tmp_path / "data").out
    verb("recommend", run, "--user", "[/x]\x1b[2J:smile:").refused("[/x]\\x1b[2J:smile:")
    verb("evaluate", tmp_path / "[red]\x1bgone").refused("[red]\\x1bgone")
    verb("train", tmp_path / "data", "--out", tmp_path / "r", "--\x1b[2J").refused("\\x1b[2J")


def test_a_console_takes_no_markup_anywhere(capsys):
    console = PlainConsole()
    table = Table(title="[b]title[/b]", caption="[i]caption[/x]")
    table.add_column("[red]head[/]")
    table.add_row("[/cell] :smile:")
    console.print(table)
    console.print("[bold]line[/bold]\rover", markup=True, emoji=True)
    out = capsys.readouterr().out
    for text in ("[b]title[/b]", "[i]caption[/x]", "[red]head[/]", "[/cell] :smile:", "[bold]line[/bold] over"):
        assert text in out


def commands(group, path=()):
    yield path, group
    for name, below in getattr(group, "commands", {}).items():
        yield from commands(below, (*path, name))


def test_help_shows_every_word_of_the_docstrings(verb, monkeypatch):
    """Of every verb: what the docstring and the options say stands in ``--help``, brackets too."""
    plain = typer.main.get_command(app)
    seen = 0
    for path, command in commands(plain):
        monkeypatch.setenv("TERMINAL_WIDTH", "200")
        shown = "".join(verb(*path, "--help").out.split())
        texts = [command.help or "", *(getattr(p, "help", None) or "" for p in command.params)]
        for word in " ".join(inspect.cleandoc(text) for text in texts).split():
            assert word in shown, f"{' '.join(path)}: {word}"
            seen += 1
    assert seen > 500


def test_brackets_in_help_are_kept():
    tiny = typer.Typer()

    @tiny.command()
    def verb(option: str = typer.Option("", help="[numbers] and [/b] :smile:")) -> None:
        """Takes {"NAME": [numbers]}

        and [0.1, ...] [/live] too.
        """

    command = plain_help(typer.main.get_command(tiny))
    context = (
        typer.Context(command) if not hasattr(command, "make_context") else command.make_context("x", ["--option", "a"])
    )
    from rich.text import Text

    assert (
        Text.from_markup(command.help, emoji=False).plain == 'Takes {"NAME": [numbers]}\n\nand [0.1, ...] [/live] too.'
    )
    (option,) = [parameter for parameter in command.params if parameter.name == "option"]
    assert Text.from_markup(option.help, emoji=False).plain == "[numbers] and [/b] :smile:"
    assert context is not None
