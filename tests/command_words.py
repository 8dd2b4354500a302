"""From the words of a command line to the verb that takes them."""

from typing import Any


def verb_of(command: Any, words: list[str]) -> tuple[Any, list[str]]:
    """The verb that is named, and the words that are left for it.

    Args:
        command: of click; a group is followed into its commands.
        words: without the name of the program.

    Raises:
        LookupError: a group has no such command.
    """
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        if words[0] not in command.commands:
            raise LookupError(f"no such command: {words[0]}")
        command, words = command.commands[words[0]], words[1:]
    return command, words
