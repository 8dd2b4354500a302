"""Some users of a data set: what they had, and what they are recommended, with images and titles."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from alignrec_geo.dataset.interactions import Interactions, Split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.evaluation.evaluator import counted_users
from alignrec_geo.evaluation.protocols import Protocol
from alignrec_geo.reporting.score_parts import ScoreParts, shares
from alignrec_geo.reporting.thumbnails import SIDE, thumbnail
from alignrec_geo.typing import Int64

PAST, NEW = 11, 10
"""Items of the history that are shown, the latest, and items that are recommended."""
SMALL = 120
"""Pixels of the longer side of images that stand close together."""
PLACES = {"few interactions": 0.1, "a history of medium length": 0.5, "many interactions": 0.95}
"""Which users are shown: their places among all, by the length of the history."""


@dataclass(frozen=True)
class Person:
    """One user of a report.

    Args:
        name: external id.
        kind: why this user.
        known: how many training items there are.
        held_out: how many items were to be found.
        past: cards of the latest training items, for the template ``parts.html``.
        new: cards of the items that are recommended.
    """

    name: str
    kind: str
    known: int
    held_out: int
    past: list[dict[str, Any]]
    new: list[dict[str, Any]]


def people(
    data: Dataset,
    tables: Embeddings,
    protocol: Protocol,
    image_of: Callable[[int], Path | None],
    parts: ScoreParts | None = None,
) -> list[Person]:
    """Three users of the test split, of whom little, some and much is known; always the same ones.

    Items are ranked as at test, so that those that were held out can be among them, and are marked.

    Args:
        data: ids, titles and pairs.
        tables: ``users [U, D]`` and ``items [I, D]``.
        protocol: which items are left out of the ranking.
        image_of: the image of an item's row, where there is one.
        parts: what takes scores apart, for the bars of identity and content.
    """
    pairs = data.interactions
    known = pairs.of(Split.TRAIN, Split.HISTORY)
    wanted = counted_users(pairs, Split.TEST)
    if not len(wanted):
        wanted = np.flatnonzero(known.user_degree() > 0)  # a refit holds nobody's items back
    if not len(wanted):
        return []
    degree = known.user_degree()[wanted]
    order = wanted[np.argsort(degree, kind="stable")]
    chosen = {int(order[round(place * (len(order) - 1))]): kind for kind, place in reversed(PLACES.items())}
    masked = pairs.of(*protocol.masked(Split.TEST))
    made = [_person(data, tables, masked, user, kind, image_of, parts) for user, kind in chosen.items()]
    return made[::-1]


def _person(
    data: Dataset,
    tables: Embeddings,
    masked: Interactions,
    user: int,
    kind: str,
    image_of: Callable[[int], Path | None],
    parts: ScoreParts | None,
) -> Person:
    pairs = data.interactions
    had, held_out = _items(pairs, user, Split.TRAIN, Split.HISTORY), _items(pairs, user, Split.TEST)
    scores = tables.items @ tables.users[user]
    scores[torch.from_numpy(masked.item[masked.user == user])] = -torch.inf
    best = scores.topk(min(NEW, len(scores)))
    top = best.indices[best.values > -torch.inf].numpy().astype(np.int64)
    split = None if parts is None else parts.of(np.full(len(top), user, dtype=np.int64), top)
    new = []
    for place, row in enumerate(top.tolist()):
        bars, said = ([], "") if split is None else shares(split[place])
        hit = "held out, found" if row in held_out else ""
        new.append({**card(data, row, image_of, SIDE), "rank": place + 1, "hit": hit, "shares": bars, "said": said})
    return Person(
        name=data.users["id"][user],
        kind=kind,
        known=len(had),
        held_out=len(held_out),
        past=placed([card(data, row, image_of) for row in had[:PAST].tolist()]),
        new=placed(new),
    )


def card(data: Dataset, row: int, image_of: Callable[[int], Path | None], side: int = SMALL) -> dict[str, Any]:
    """An item for the template ``parts.html``: its image, its title, and its id beside a title.

    Args:
        data: ids and titles.
        row: of the item.
        image_of: the image of a row, where there is one.
        side: pixels of the image's longer side.
    """
    name, title = data.items["id"][row], data.items["title"][row]
    return {
        "image": thumbnail(image_of(row), side),
        "blank": False,
        "name": title or name,
        "id": name if title else "",
        "rank": 0,
        "hit": "",
        "note": "",
        "shares": [],
        "said": "",
    }


def placed(cards: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Cards that stand side by side: the place of an image is left free where others have one."""
    some = any(one["image"] for one in cards)
    return [{**one, "blank": some and not one["image"]} for one in cards]


def _items(pairs: Interactions, user: int, *splits: Split) -> Int64:
    """A user's items of some splits, the latest first where times are known."""
    own = pairs.of(*splits)
    rows = own.user == user
    items: Int64 = own.item[rows]
    return items if own.timestamp is None else items[np.argsort(-own.timestamp[rows], kind="stable")]
