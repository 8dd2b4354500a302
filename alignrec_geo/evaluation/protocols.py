"""Which items are left out of the ranking, and which users count."""

from enum import StrEnum

from alignrec_geo.dataset.interactions import Split
from alignrec_geo.errors import InputError


class Protocol(StrEnum):
    """How items are ranked; every reported number names its protocol.

    Both rank all items and drop users without a training item.
    """

    CLEAN = "clean"
    """Training items (of a held-out user, the history) are left out; at test the validation items too."""
    MMREC = "mmrec"
    """Only training items are left out, at validation and at test: comparable with the field's published tables."""

    @classmethod
    def parse(cls, name: str) -> "Protocol":
        """Return the protocol called ``name``.

        Raises:
            InputError: there is none.
        """
        if not isinstance(name, str) or name not in list(cls):
            raise InputError(f"unknown protocol (got '{name}'); allowed: {', '.join(cls)}")
        return cls(name)

    def masked(self, split: Split) -> tuple[Split, ...]:
        """The splits whose pairs are left out when ``split`` is evaluated."""
        if self is Protocol.CLEAN and split is Split.TEST:
            return (Split.TRAIN, Split.HISTORY, Split.VALIDATION)
        return (Split.TRAIN, Split.HISTORY)
