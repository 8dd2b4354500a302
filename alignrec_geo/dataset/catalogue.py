"""A generated catalogue: items with an image and a caption, users with a taste for what is seen and written.

Nothing is downloaded and the same seed gives the same bytes, so the answers are known: a score from image
and caption together beats either alone, which beats popularity; some items have no training pair, and only
content can find them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alignrec_geo.dataset.catalogue_features import image_features, text_features
from alignrec_geo.dataset.catalogue_images import COLOURS, KINDS, PATTERNS, Look, draw
from alignrec_geo.dataset.catalogue_words import MATERIALS, THEMES, name_and_describe
from alignrec_geo.dataset.interactions import Interactions, Split
from alignrec_geo.dataset.splits import SplitConfig, make_split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.typing import Int64

Value = TypeVar("Value")

COLD_SHARE = 0.1
"""Share of the items without a training pair."""
GAP_SHARE = 0.01
"""Share of the items without an image, and as many others without a caption."""
FEWEST, MOST = 10, 14
"""Interactions per user."""
BOTH, ONE, NEITHER = 1.0, 0.03, 0.002
"""How readily a user takes an item whose colour and theme both suit, of which one suits, and none."""
LIKED_MATERIAL, LIKED_PATTERN = 2.5, 1.6
"""Factors for a material and a pattern the user likes."""
POPULARITY_SPREAD = 0.6
"""Standard deviation of the logarithm of an item's popularity."""
FIRST_SECOND = 1_600_000_000
"""Timestamps start here (September 2020)."""


@dataclass(frozen=True)
class _Items:
    """The attributes of every item, as numbers ``[I]``, and what is made of them."""

    kind: Int64
    colour: Int64
    pattern: Int64
    theme: Int64
    material: Int64
    titles: list[str]
    captions: list[str | None]
    images: list[bytes | None]
    prices: NDArray[np.float64]

    def columns(self) -> dict[str, Any]:
        """What a shop would know of its items."""
        named = (
            ("kind", KINDS),
            ("colour", COLOURS),
            ("pattern", PATTERNS),
            ("material", MATERIALS),
            ("theme", THEMES),
        )
        return {
            **{name: [list(values)[number] for number in getattr(self, name)] for name, values in named},
            "price": self.prices,
        }


def make_catalogue(n_users: int = 1000, n_items: int = 600, seed: int = 0, image_size: int = 64) -> Dataset:
    """Generate the catalogue, in memory; ``save`` writes it with its images.

    Every item has a kind of thing (drawn as a shape and named in the caption), a colour and a pattern (only
    seen), and a material and a theme (only written). A user likes one or two colours and one or two themes,
    and less strongly some materials and one pattern; 10 to 14 interactions follow. A tenth of the items are
    cold: their pairs lie in validation and test only; the other pairs are split by the random 8:1:1 rule.
    One item in a hundred lacks its image, another its caption. The table of items names all of this in columns, with a
    price, for conditions on what is recommended; no model looks at them.

    Args:
        n_users: number of users, at least 10.
        n_items: number of items, at least 30.
        seed: the same seed gives the same catalogue, byte for byte.
        image_size: side of the images in pixels, at least 8.

    Raises:
        InputError: a number is too small or too large, or none.

    Example:
        >>> data = make_catalogue(n_users=60, n_items=40, image_size=16)
        >>> data.items["id"][7], data.users["id"][42]
        ('item-0007', 'user-0042')
    """
    for name, given, least, most in (
        ("n_users", n_users, 10, 10_000_000),
        ("n_items", n_items, 30, 10_000_000),
        ("image_size", image_size, 8, 4096),
        ("seed", seed, 0, None),
    ):
        if isinstance(given, bool) or not isinstance(given, int | np.integer):
            raise InputError(f"a catalogue takes {name} as a whole number (got {given!r:.80})")
        if given < least:
            raise InputError(f"a catalogue needs {name} of at least {least} (got {given})")
        if most is not None and given > most:
            raise InputError(f"a catalogue takes {name} of at most {most} (got {given})")
    for_items, for_users, for_split = np.random.default_rng(seed).spawn(3)
    items = _make_items(n_items, image_size, for_items)
    item_ids, user_ids = _ids("item", n_items), _ids("user", n_users)
    interactions = _split(_make_interactions(n_users, items, for_users), seed, for_split)
    texts = {"id": item_ids, "title": items.titles, "text": items.captions, "image": [None] * n_items}
    table = pl.DataFrame({**texts, **items.columns()}, schema_overrides={"image": pl.String})
    return Dataset(
        name="catalogue",
        interactions=interactions,
        users=pl.DataFrame({"id": user_ids}),
        items=table,
        split_config=SplitConfig(rule="given"),
        source={"generated_by": f"make_catalogue({n_users=}, {n_items=}, {seed=}, {image_size=})"},
        images=[(name, ".png", image) for name, image in zip(item_ids, items.images, strict=True) if image],
    ).with_features(image_features(items.images), text_features(_read_text(items)))


def _ids(kind: str, count: int) -> list[str]:
    width = max(4, len(str(count - 1)))
    return [f"{kind}-{row:0{width}d}" for row in range(count)]


def _make_items(n_items: int, image_size: int, rng: np.random.Generator) -> _Items:
    kind, colour, pattern, material, theme = (
        _evenly(n_items, len(values), rng) for values in (KINDS, COLOURS, PATTERNS, MATERIALS, THEMES)
    )
    jitter = rng.random((n_items, 7))
    names = [
        name_and_describe(rng, list(KINDS)[kind[row]], MATERIALS[material[row]], list(THEMES)[theme[row]])
        for row in range(n_items)
    ]
    looks = [
        Look(list(KINDS)[kind[row]], list(COLOURS)[colour[row]], PATTERNS[pattern[row]], tuple(jitter[row]))
        for row in range(n_items)
    ]
    gaps = max(1, round(GAP_SHARE * n_items))
    no_image, no_caption = np.split(rng.permutation(n_items)[: 2 * gaps], 2)
    return _Items(
        kind=kind,
        colour=colour,
        pattern=pattern,
        theme=theme,
        material=material,
        titles=[title for title, _ in names],
        captions=_without([caption for _, caption in names], no_caption),
        images=_without([draw(look, image_size) for look in looks], no_image),
        prices=(5 + 45 * jitter[:, 0]).round(2),  # of its size
    )


def _read_text(items: _Items) -> list[str | None]:
    return [
        None if caption is None else f"{title}. {caption}"
        for title, caption in zip(items.titles, items.captions, strict=True)
    ]


def _evenly(count: int, values: int, rng: np.random.Generator) -> Int64:
    """Each value equally often (but for a remainder), in random order: ``[count]``."""
    return rng.permutation(np.arange(count) % values)


def _without(values: Sequence[Value], rows: Int64) -> list[Value | None]:
    gone = set(rows.tolist())
    return [None if row in gone else value for row, value in enumerate(values)]


def _make_interactions(n_users: int, items: _Items, rng: np.random.Generator) -> Interactions:
    """Draw each user's items without replacement, in proportion to appeal, and give them times."""
    n_items = len(items.titles)
    log_popularity = rng.normal(0, POPULARITY_SPREAD, n_items)
    users, taken, times = [], [], []
    for user in range(n_users):
        suits = (_likes(rng, len(COLOURS), items.colour), _likes(rng, len(THEMES), items.theme))
        appeal = np.where(suits[0] & suits[1], BOTH, np.where(suits[0] | suits[1], ONE, NEITHER))
        appeal = appeal * np.where(items.pattern == rng.integers(len(PATTERNS)), LIKED_PATTERN, 1.0)
        appeal = appeal * np.where(_likes(rng, len(MATERIALS), items.material), LIKED_MATERIAL, 1.0)
        count = int(rng.integers(FEWEST, MOST + 1))
        # The largest after Gumbel noise on the logarithm: a draw without replacement in proportion to appeal.
        score = np.log(appeal) + log_popularity + rng.gumbel(size=n_items)
        users.append(np.full(count, user))
        taken.append(rng.permutation(np.argsort(-score, kind="stable")[:count]))
        times.append(FIRST_SECOND + np.cumsum(rng.integers(60, 1_000_000, count)))
    return Interactions(
        user=np.concatenate(users),
        item=np.concatenate(taken),
        split=np.zeros(sum(map(len, users)), dtype=np.int8),
        n_users=n_users,
        n_items=n_items,
        timestamp=np.concatenate(times),
    )


def _likes(rng: np.random.Generator, values: int, of_item: Int64) -> NDArray[np.bool_]:
    """Whether each item has one of the one or two values the user likes: ``[I]``."""
    return np.isin(of_item, rng.permutation(values)[: rng.integers(1, 3)])


def _split(interactions: Interactions, seed: int, rng: np.random.Generator) -> Interactions:
    """Pairs of cold items to validation or test, the others by the random rule."""
    cold = rng.permutation(interactions.n_items)[: round(COLD_SHARE * interactions.n_items)]
    is_cold = np.isin(interactions.item, cold)
    split = np.where(rng.random(len(interactions)) < 0.5, Split.VALIDATION, Split.TEST).astype(np.int8)
    split[~is_cold] = make_split(interactions.take(~is_cold), SplitConfig(rule="random", seed=seed))
    return interactions.with_split(split)
