"""What is asked for many users or items at once: frames that are computed block by block."""

from typing import Any

import polars as pl

from alignrec_geo.serving.asked import asked_count
from alignrec_geo.serving.bulk import recommend_all
from alignrec_geo.serving.frame_stream import FrameStream
from alignrec_geo.serving.neighbours import similar_items, similar_users
from alignrec_geo.serving.prepared import Prepared
from alignrec_geo.serving.rules import Rules
from alignrec_geo.serving.scores import score_pairs


class ForMany(Prepared):
    """The part of :class:`~alignrec_geo.serving.TopItems` that answers for many at once."""

    def recommend_all(
        self,
        users: Any = None,
        k: int = 10,
        unknown: str = "skip",
        include_cold: bool = False,
        *,
        only_items: Any = None,
        without_items: Any = None,
        where: str | None = None,
        item_table: Any = None,
        seen: str = "hide",
        exclude: Any = None,
    ) -> FrameStream:
        """The ``k`` best items of many users, as frames that are computed block by block.

        Args:
            users: external ids; ``None`` for every user of the data set. One that comes again is left out.
            k: see :meth:`~alignrec_geo.serving.TopItems.recommend`, also for what follows.
            unknown: ``skip`` leaves unknown users out, and users without a training interaction; they are
                :attr:`~alignrec_geo.serving.FrameStream.left_out`.
            include_cold: rank cold items too.
            only_items: what may be recommended.
            where: a condition on it.
            item_table: further columns for it.
            without_items: what may not be.
            seen: whether what a user has interacted with is left out.
            exclude: what single users may not get.

        Returns:
            Nothing is computed yet: iterate over the frames, take them as one (``to_frame()``), or write them to a file
            (``write("recs.parquet")``). One row per user and item: user, rank from 1, item, title, score, source, cold.

        Raises:
            InputError: as :meth:`~alignrec_geo.serving.TopItems.recommend`.

        Example:
            >>> top = load_top_items("runs/shop")  # doctest: +SKIP
            >>> top.recommend_all(k=20).write("recommendations.parquet")  # doctest: +SKIP
        """
        rules = Rules(only_items, without_items, where, item_table, seen, exclude)
        return recommend_all(self, users, asked_count(k), unknown, include_cold, rules)

    def similar_all(
        self,
        items: Any = None,
        k: int = 10,
        unknown: str = "skip",
        include_cold: bool = False,
        *,
        only_items: Any = None,
        without_items: Any = None,
        where: str | None = None,
        item_table: Any = None,
    ) -> FrameStream:
        """The ``k`` items closest to each of many, as frames that are computed block by block.

        Args:
            items: external ids; ``None`` for all items, and those of :attr:`cold_items`.
            k: see :meth:`~alignrec_geo.serving.TopItems.similar`, also for what follows.
            unknown: ``skip`` leaves unknown items out, ``error`` refuses them.
            include_cold: rank cold items too.
            only_items: what may be found.
            without_items: what may not be.
            where: a condition on it.
            item_table: further columns for it.

        Returns:
            As :meth:`recommend_all`: item, rank, similar_item, title, score, source, cold.

        Raises:
            InputError: as :meth:`~alignrec_geo.serving.TopItems.similar`.
        """
        rules = Rules(only_items, without_items, where, item_table)
        return similar_items(self, items, asked_count(k), unknown, include_cold, rules)

    def similar_users(self, users: Any = None, k: int = 10, unknown: str = "skip") -> FrameStream:
        """The ``k`` users whose vectors have the largest cosine with each user's, as :meth:`similar_all` of items.

        Args:
            users: external ids, one or several; ``None`` for all.
            k: how many.
            unknown: ``skip`` leaves unknown users out, ``error`` refuses them.

        Returns:
            As :meth:`recommend_all`: user, rank, similar_user, score.

        Raises:
            InputError: an unknown user and ``unknown="error"``, nobody known, or something that is no id.
        """
        return similar_users(self, users, asked_count(k), unknown)

    def score(
        self, pairs: Any, user: str = "user", item: str = "item", unknown: str = "error", include_cold: bool = False
    ) -> pl.DataFrame:
        """Return a table of users and items with the score of every pair.

        Args:
            pairs: a polars or pandas frame; its other columns are kept.
            user: its column of users.
            item: its column of items.
            unknown: what to do with pairs whose user has no training interaction or whose item is not known: ``error``,
                ``skip`` to leave them out, or ``popular`` for the number of the item's training interactions.
            include_cold: score items of :attr:`cold_items` by their vectors from content.

        Returns:
            The rows with ``score`` and ``source`` (``model``, ``content``, ``popular``).

        Raises:
            InputError: no such columns, or an unknown user or item and ``unknown="error"``.
        """
        return score_pairs(self, pairs, user, item, unknown, include_cold)[0]
