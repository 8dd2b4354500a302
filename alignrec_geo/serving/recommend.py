"""Top items of users and neighbours of items, external ids in and out."""

from typing import Any

import numpy as np

from alignrec_geo.dataset.ids import text_id
from alignrec_geo.serving.asked import asked_count, asked_ids
from alignrec_geo.serving.basket import Basket
from alignrec_geo.serving.candidates import Candidates
from alignrec_geo.serving.for_many import ForMany
from alignrec_geo.serving.neighbours import among_items
from alignrec_geo.serving.request import Request
from alignrec_geo.serving.results import CONTENT, MODEL, POPULAR, Recommendation, Recommendations, SimilarItems
from alignrec_geo.serving.rules import Rules


class TopItems(ForMany):
    """Recommend from two embedding tables.

    What requests need (look-up tables of ids, what each user has seen) is made when the first one needs it. From then
    on a request takes little more than one product and the selection of its best, however many users there are.

    Args:
        embeddings: ``users [U, D]`` and ``items [I, D]``.
        dataset: ids, titles and seen items.
        cold_items: items without a training interaction, with vectors from their content; for ``include_cold``.
        fold_in: gives users vectors from what they interacted with; for :meth:`recommend_for_items`.
        indexes: of the items, to be searched instead of scoring all of them; see :mod:`alignrec_geo.serving.index`.

    Raises:
        InputError: the tables do not fit the data set.
    """

    def recommend(
        self,
        users: Any,
        k: int = 10,
        unknown: str = "error",
        include_cold: bool = False,
        *,
        only_items: Any = None,
        without_items: Any = None,
        where: str | None = None,
        item_table: Any = None,
        seen: str = "hide",
        exclude: Any = None,
    ) -> Recommendations:
        """Return the ``k`` best items per user, those the user has interacted with (in any split) left out.

        All items of the data set are ranked with the trained tables, as in evaluation; the model may have no more than
        a guess for an item without a training interaction.

        Args:
            users: external ids, one or several, as text or in the type they once had.
            k: how many; fewer come back for a user who has seen almost everything.
            unknown: what to do for users that are unknown or have no training interaction: ``error``, ``popular`` for
                the most popular items, or ``skip`` to leave them out.
            include_cold: rank :attr:`cold_items` too, each by its vector from content; one that is an item of the data
                set gets this vector in place of the trained one.
            only_items: ids of the items that may be recommended; ``None`` for all.
            without_items: ids of items that may not be.
            where: a condition on the columns of the data set's items (``'category = "Toys" and price < 20'``); see
                :func:`~alignrec_geo.serving.where.matching`.
            item_table: further columns for ``where``, as of today: a frame with a column ``item`` or ``id``.
            seen: ``hide`` leaves out what the user has interacted with, ``keep`` does not.
            exclude: items that single users may not get: a frame with the columns ``user`` and ``item``, or a
                dictionary of lists of items by user.

        Returns:
            The items by user, in the order and with the ids that were given; a dictionary with ``to_frame()``.
            :attr:`~alignrec_geo.serving.Recommendation.source` says where a score comes from.

        Raises:
            InputError: an unknown user and ``unknown="error"``, an unknown policy, ``include_cold`` without cold
                items, something that is no id, or rules that leave no item.
        """
        k, asked = asked_count(k), asked_ids(users, "users")
        names = list(asked.values())
        rows = np.array([self.users.get(name) for name in names], dtype=np.int64)
        rules = Rules(only_items, without_items, where, item_table, seen, exclude)
        request = Request(self, names, rows, k, unknown, include_cold, rules)
        places, answer = request.answer(0, len(asked))
        given, candidates = list(asked), request.candidates
        found = Recommendations(
            (given[place], _named(candidates, scores, items, POPULAR if popular else MODEL))
            for place, scores, items, popular in zip(places, *answer, strict=True)
        )
        found.whole_ids, found.notes = self.whole_item_ids, request.notes
        return found

    def recommend_for_items(
        self,
        items: Any,
        k: int = 10,
        include_cold: bool = False,
        *,
        only_items: Any = None,
        without_items: Any = None,
        where: str | None = None,
        item_table: Any = None,
        seen: str = "hide",
    ) -> SimilarItems:
        """Return the ``k`` best items for a user of whom only a history is known, say a basket (see ``fold_in``).

        Args:
            items: external ids of the items in the basket, one or several, each counted once. One that only
                :attr:`cold_items` know counts as the items that are most like it.
            k: how many.
            include_cold: see :meth:`recommend`, also for what follows.
            only_items: what may be recommended.
            without_items: what may not be.
            where: a condition on it.
            item_table: further columns for it.
            seen: ``hide`` leaves out the items of the basket, ``keep`` does not.

        Returns:
            The items, the best first; a list with ``to_frame()``.

        Raises:
            InputError: the basket is empty or holds an unknown item, the model behind the tables is not known, or rules
                that leave no item.
        """
        k, candidates = asked_count(k), self.candidates(include_cold)
        rules = Rules(only_items, without_items, where, item_table, seen)
        basket = Basket(self, list(asked_ids(items, "items").values()))
        allowed, notes = rules.allowed(candidates)
        hidden = [basket.pairs(candidates)] if rules.hides_seen() else []
        user = np.zeros(1, dtype=np.int64)
        scores, rows = self.ranking(basket.vector(), candidates, allowed).best(user, k, hidden)
        found = SimilarItems(_named(candidates, scores[0], rows[0], MODEL))
        found.whole_ids, found.notes = self.whole_item_ids, notes
        return found

    def similar(
        self,
        item: Any,
        k: int = 10,
        include_cold: bool = False,
        *,
        only_items: Any = None,
        without_items: Any = None,
        where: str | None = None,
        item_table: Any = None,
    ) -> SimilarItems:
        """Return the ``k`` items whose vectors have the largest cosine with an item's, itself left out.

        Args:
            item: external id, of the data set or, if it does not know it, of :attr:`cold_items`.
            k: how many.
            include_cold: rank :attr:`cold_items` too, as in :meth:`recommend`.
            only_items: ids of the items that may be found; ``None`` for all.
            without_items: ids of items that may not be.
            where: a condition on the columns of the data set's items.
            item_table: further columns for it.

        Returns:
            The items, the closest first; a list with ``to_frame()``.

        Raises:
            InputError: the item is unknown, ``include_cold`` without cold items, or rules that leave no item.
        """
        k, name = asked_count(k), text_id(item, "item")
        candidates, queries = self.candidates(include_cold), self.item_queries(include_cold)
        row = queries.rows.get(name)
        if row < 0:
            raise self.unknown(queries.rows, name)
        allowed, notes = Rules(only_items, without_items, where, item_table).allowed(candidates)
        scores, items = among_items(self, queries, candidates, allowed).of(np.array([row]), k)
        found = SimilarItems(_named(candidates, scores[0], items[0], MODEL))
        found.whole_ids, found.notes = self.whole_item_ids, notes
        return found

    def knows_item(self, item: Any) -> bool:
        """Whether the data set has an item."""
        return self.trained.rows.get(text_id(item, "item")) >= 0


def _named(candidates: Candidates, scores: Any, items: Any, source: str) -> list[Recommendation]:
    """Single results, those at minus infinity left out."""
    names, cold, by_content = candidates.names, candidates.cold[items].tolist(), candidates.by_content[items].tolist()
    found = zip(scores.tolist(), items.tolist(), cold, by_content, strict=True)
    return [
        Recommendation(
            item=names[row][0],
            title=names[row][1],
            score=score,
            cold=is_cold,
            source=CONTENT if from_content and source == MODEL else source,
        )
        for score, row, is_cold, from_content in found
        if score != -np.inf
    ]
