"""YAML of settings: plain values, limits, and one line for everything else."""

import os

import pytest

from alignrec_geo.errors import InputError
from alignrec_geo.limits import VARIABLE
from alignrec_geo.settings import parse_setting, read_yaml
from alignrec_geo.training.config import TrainingConfig
from alignrec_geo.yaml_text import parse_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024-99-99", "2024-99-99"),
        ("2024-01-31", "2024-01-31"),
        ("yes", "yes"),
        ("off", "off"),
        ("true", True),
        ("1:30", "1:30"),
        ("010", 10),
        ("0x1F", 31),
        ("-5", -5),
        ("1_000", 1000),
        ("1e-3", 0.001),
        ("-.5", -0.5),
        ("~", None),
        ("", None),
        ("[1, 'a', {b: 2.0}]", [1, "a", {"b": 2.0}]),
        ("\ufeffa: 1", {"a": 1}),
        ("{a: &x {q: 1}, b: {<<: *x, q: 2}}", {"a": {"q": 1}, "b": {"q": 2}}),
    ],
)
def test_plain_values(text, value):
    got = parse_yaml(text, "x")
    assert got == value
    assert type(got) is type(value)


def bomb(levels=9, width=9):
    lines = ["a: &a [" + ",".join("x" * width) + "]"]
    for level in range(levels):
        here, below = chr(98 + level), chr(97 + level)
        lines.append(f"{here}: &{here} [" + ",".join([f"*{below}"] * width) + "]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (bomb(), "aliases"),
        ("&a [*a]", "holds itself"),
        ("a: &a {b: *a}", "holds itself"),
        ("[" * 50_000, "yaml_depth"),
        ("{a: " * 101, "yaml_depth"),
        ("a: 1\na: 2", "'a' is there twice, line 2"),
        ("1: 2", "keys are texts"),
        ("? [a]\n: 2", "keys are texts"),
        ("!!binary aGk=", "binary"),
        ("!!set {a}", "set"),
        ("!!timestamp 2024-99-99", "timestamp"),
        ("!!python/object/apply:os.getcwd []", "python"),
        ("!!int x", "whole number"),
        ("!!float x", "finite number"),
        (".inf", "finite number"),
        (".nan", "finite number"),
        ("1e999", "finite number"),
        ("9" * 5000, "too large a whole number"),
        (str(2**63), "too large a whole number"),
        ('"\\ud800"', "surrogate"),
        ("a\0b", "special characters"),
        ("--- a\n--- b", "single document"),
        ("*nothing", "undefined alias"),
        ("'open", "end of stream"),
        ("\t- a", "line 1, column 1"),
    ],
)
def test_everything_else_is_one_short_line(text, words):
    with pytest.raises(InputError, match=words) as caught:
        parse_yaml(text, "there")
    message = str(caught.value)
    assert message.startswith("there: ")
    assert "\n" not in message
    assert len(message) < 300


def test_limits_can_be_raised(monkeypatch):
    monkeypatch.setenv(VARIABLE, "yaml_depth=300,yaml_aliases=1e5")
    parse_yaml("[" * 200 + "]" * 200, "x")
    assert len(parse_yaml(bomb(3), "x")["d"]) == 9


def test_a_settings_file_is_a_plain_file_of_moderate_size(tmp_path):
    (tmp_path / "long.yaml").write_text("a: " + "x" * 300_000)
    (tmp_path / "list.yaml").write_text("[1]")
    (tmp_path / "utf16.yaml").write_text("a: 1", encoding="utf-16")
    os.mkfifo(tmp_path / "pipe.yaml")
    for name, words in (
        ("long.yaml", "yaml_bytes"),
        ("list.yaml", "key: value"),
        ("utf16.yaml", "not a readable YAML file"),
        ("pipe.yaml", "pipe"),
        ("absent.yaml", "no such file"),
        ("", "is a folder"),
    ):
        with pytest.raises(InputError, match=words):
            read_yaml(tmp_path / name)


def test_a_setting_of_the_command_line_is_named():
    with pytest.raises(InputError, match=r"^setting lr: not valid YAML"):
        parse_setting("lr=[", {"training": TrainingConfig})
    with pytest.raises(InputError, match=r"^setting lr: .*yaml_depth"):
        parse_setting("lr=" + "[" * 5000, {"training": TrainingConfig})


def test_a_text_has_an_end(monkeypatch):
    monkeypatch.setenv(VARIABLE, "yaml_bytes=10")
    with pytest.raises(InputError, match=r"a\.yaml: has 11 characters; the limit is 10"):
        parse_yaml("a: 12345678", "a.yaml")
    assert parse_yaml("a: 1234567", "a.yaml") == {"a": 1234567}
