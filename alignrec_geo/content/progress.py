"""How callers are told how far a long pass over the items is."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with how many are done, and of how many."""
NamedProgress = Callable[[str], Progress | None]
"""Called with what is going to be read or encoded; returns what is told how far that is."""
