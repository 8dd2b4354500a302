"""Help texts are text: brackets and colons in them are no markup, and a line ends where the terminal does."""

import inspect
from typing import Any

from rich.markup import escape


def plain_help(command: Any) -> Any:
    """Escape the help of a command, of its options and of the commands below it, for Typer prints it as markup.

    Args:
        command: a command or a group; it is changed and returned.
    """
    for name in ("help", "short_help", "epilog"):
        if getattr(command, name, None):
            setattr(command, name, escape(_paragraphs(getattr(command, name))))
    for parameter in command.params:
        if getattr(parameter, "help", None):
            parameter.help = escape(parameter.help)
        _name_the_value(parameter)
    _name_the_value_of_help(command)
    for below in getattr(command, "commands", {}).values():
        plain_help(below)
    return command


def _name_the_value(parameter: Any) -> None:
    """A flag takes no value, and what can be given several times takes one at a time."""
    if getattr(parameter, "is_flag", False):
        parameter.metavar = ""
    elif getattr(parameter, "multiple", False) and parameter.metavar is None:
        parameter.metavar = "<str>"


def _name_the_value_of_help(command: Any) -> None:
    """``--help`` is made when it is asked for."""
    make = command.get_help_option

    def made(context: Any) -> Any:
        option = make(context)
        if option is not None:
            option.metavar = ""
        return option

    command.get_help_option = made


def _paragraphs(text: str) -> str:
    """The text with one line per paragraph: where a docstring breaks its lines is nothing to a terminal."""
    return "\n\n".join(" ".join(part.split()) for part in inspect.cleandoc(text).split("\n\n"))
