"""Top items of users and neighbours of items, external ids in and out."""

from typing import Any

import numpy as np

from alignrec_geo.dataset.ids import text_id
from alignrec_geo.serving.asked import asked_count, asked_ids
from alignrec_geo.serving.candidates import Candidates
from alignrec_geo.serving.prepared import Prepared
from alignrec_geo.serving.ranking import Ranking
from alignrec_geo.serving.request import Request
from alignrec_geo.serving.results import CONTENT, MODEL, POPULAR, Recommendation, Recommendations, SimilarItems
from alignrec_geo.serving.rules import Rules


class TopItems(Prepared):
    """Recommend from two embedding tables.

    What requests need (look-up tables of ids, what each user has seen) is made when the first one needs it. From then
    on a request takes little more than one product and the selection of its best, however many users there are.

    Args:
        embeddings: ``users [U, D]`` and ``items [I, D]``.
        dataset: ids, titles and seen items.
        cold_items: items without a training interaction, with vectors from their content; for ``include_cold``.

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
        rules = Rules(only_items, without_items, where, seen, exclude)
        request = Request(self, names, rows, k, unknown, include_cold, rules)
        places, answer = request.answer(0, len(asked))
        given, candidates = list(asked), request.candidates
        found = Recommendations(
            (given[place], _named(candidates, scores, items, POPULAR if popular else MODEL))
            for place, scores, items, popular in zip(places, *answer, strict=True)
        )
        found.whole_ids, found.notes = self.whole_item_ids, request.notes
        return found

    def similar(self, item: Any, k: int = 10, include_cold: bool = False) -> SimilarItems:
        """Return the ``k`` items whose vectors have the largest cosine with an item's, itself left out.

        Args:
            item: external id, of the data set or, if it does not know it, of :attr:`cold_items`.
            k: how many.
            include_cold: rank :attr:`cold_items` too, as in :meth:`recommend`.

        Returns:
            The items, the closest first; a list with ``to_frame()``.

        Raises:
            InputError: the item is unknown, or ``include_cold`` without cold items.
        """
        k, name = asked_count(k), text_id(item, "item")
        candidates = self.candidates(include_cold)
        own = candidates.rows.get(name)
        known = self.candidates(self.cold_items is not None)
        row = own if own >= 0 else known.rows.get(name)
        if row < 0:
            row = int(self.dataset.item_rows([name])[0])  # which names items that there are
        query = (candidates if own >= 0 else known).unit_vectors[row : row + 1]
        hidden = [] if own < 0 else [(np.zeros(1, dtype=np.int64), np.array([own]))]
        scores, items = Ranking(query, candidates.unit_vectors).best(np.zeros(1, dtype=np.int64), k, hidden)
        found = SimilarItems(_named(candidates, scores[0], items[0], MODEL))
        found.whole_ids = self.whole_item_ids
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
