"""Addresses on the Hugging Face Hub: ``OWNER/NAME``, with the type of the repository and a revision if need be."""

import re
from dataclasses import dataclass
from typing import Literal

from alignrec_geo.errors import InputError

RepoType = Literal["model", "dataset"]
_ADDRESS = re.compile(
    r"(?:hf://)?(?:(?P<type>models|datasets)/)?(?P<repo>[\w.-]{1,96}/[\w.-]{1,96})(?:@(?P<revision>[\w./-]{1,250}))?",
    re.ASCII,
)


@dataclass(frozen=True)
class Address:
    """A repository of the Hub.

    Args:
        repo: ``OWNER/NAME``.
        type: ``model`` or ``dataset``; ``None`` if the address does not say.
        revision: branch, tag or commit; ``None`` for the main branch.
    """

    repo: str
    type: RepoType | None = None
    revision: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read an address as it is written on a command line.

        Raises:
            InputError: it is none.

        Example:
            >>> Address.parse("me/shop"), Address.parse("hf://datasets/me/shop@v1")
            (Address('me/shop'), Address('datasets/me/shop@v1'))
            >>> Address.parse("shop")  # doctest: +ELLIPSIS
            Traceback (most recent call last):
            alignrec_geo.errors.InputError: an address on the Hub is OWNER/NAME, ... (got 'shop')
        """
        found = _ADDRESS.fullmatch(text)
        if found is None or ".." in text:
            raise InputError(
                "an address on the Hub is OWNER/NAME, models/OWNER/NAME or datasets/OWNER/NAME, with @REVISION if need "
                f"be (got '{text:.120}')"
            )
        types: dict[str | None, RepoType | None] = {"models": "model", "datasets": "dataset", None: None}
        return cls(found["repo"], types[found["type"]], found["revision"])

    def __str__(self) -> str:
        kind = "" if self.type is None else f"{self.type}s/"
        return f"{kind}{self.repo}" + ("" if self.revision is None else f"@{self.revision}")

    def __repr__(self) -> str:
        return f"Address('{self}')"
