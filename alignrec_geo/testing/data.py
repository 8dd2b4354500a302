"""Small data sets, most of which have an answer that is known."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alignrec_geo.dataset import Dataset, Features, Interactions, Split
from alignrec_geo.typing import Int64


def checkerboard(size: int = 50) -> Dataset:
    """User u likes every item i of its parity but i = u, which is the test item; no content.

    Example:
        >>> checkerboard(4).counts()["test"]
        4
    """
    user, item = np.nonzero(np.add.outer(np.arange(size), np.arange(size)) % 2 == 0)
    split = np.where(user == item, Split.TEST, Split.TRAIN).astype(np.int8)
    return _dataset("checkerboard", user, item, split, size, size, {})


def parity_by_content(users: int = 120, items: int = 60, seed: int = 0) -> Dataset:
    """Users like items of their parity, which the modality ``signal`` shows and ``noise`` does not.

    Every user has four training items and two test items, too few to see the parity from the interactions alone. The
    last four items are cold: nobody has them in training, and all test pairs of ten users are with them.

    Example:
        >>> parity_by_content().feature_names
        ['noise', 'signal']
    """
    rng = np.random.default_rng(seed)
    warm = items - 4
    rows: list[tuple[int, int, int]] = []
    for user in range(users):
        liked = rng.permutation(np.arange(user % 2, warm, 2))
        cold = np.arange(warm, items)[np.arange(warm, items) % 2 == user % 2]
        test = cold[:2] if user < 10 else liked[4:6]
        rows += [(user, item, int(Split.TRAIN)) for item in liked[:4]]
        rows += [(user, item, int(Split.TEST)) for item in test]
    user, item, split = np.array(rows).T
    parity = np.where(np.arange(items) % 2 == 0, 1.0, -1.0)
    signal = rng.normal(size=(items, 16)) * 0.3 + parity[:, None] * rng.choice([-1.0, 1.0], size=16)
    noise = rng.normal(size=(items, 12))
    content = {"signal": signal.astype(np.float32), "noise": noise.astype(np.float32)}
    return _dataset("parity", user, item, split.astype(np.int8), users, items, content)


def ring(size: int = 400) -> Dataset:
    """User u has the items u, u + 1 and u + 3 on a ring, all in training; every third item lacks content.

    The graph is so long and thin that the surroundings of a batch are a small part of it.

    Example:
        >>> ring(9).features("signal").present.sum()
        np.int64(6)
    """
    user = np.repeat(np.arange(size), 3)
    item = (user + np.tile([0, 1, 3], size)) % size
    present = np.arange(size) % 3 > 0
    content = np.random.default_rng(0).normal(size=(size, 8)).astype(np.float32) * present[:, None]
    made = _dataset("ring", user, item, np.full(len(user), Split.TRAIN, dtype=np.int8), size, size, {})
    return made.with_features(Features("signal", content, present))


def random_pairs(
    users: int = 60, items: int = 40, features: Sequence[str] = ("image", "text"), seed: int = 0
) -> Dataset:
    """Random interactions, about eight training items per user, and random features; nothing to be learned.

    Example:
        >>> random_pairs(features=["image"]).feature_names
        ['image']
    """
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(users), 10)
    item = np.concatenate([rng.permutation(items)[:10] for _ in range(users)])
    split = np.tile(np.array([Split.TRAIN] * 8 + [Split.VALIDATION, Split.TEST], dtype=np.int8), users)
    content = {name: rng.normal(size=(items, 12 + 4 * n)).astype(np.float32) for n, name in enumerate(features)}
    return _dataset("random", user, item, split, users, items, content)


def _dataset(
    name: str,
    user: Int64,
    item: Int64,
    split: NDArray[np.int8],
    users: int,
    items: int,
    content: Mapping[str, NDArray[np.float32]],
) -> Dataset:
    blank = pl.lit(None, dtype=pl.String)
    data = Dataset(
        name=name,
        interactions=Interactions(user.astype(np.int64), item.astype(np.int64), split, users, items),
        users=pl.DataFrame({"id": [f"id-{row}" for row in range(users)]}),
        items=pl.DataFrame({"id": [f"id-{row}" for row in range(items)]}).with_columns(
            title=blank, text=blank, image=blank
        ),
    )
    return data.with_features(
        *(Features(name, matrix, np.ones(items, dtype=np.bool_)) for name, matrix in content.items())
    )
