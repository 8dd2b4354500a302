"""Compare feature matrices, and combinations of them, before anything is trained on them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from alignrec_geo.dataset.interactions import Interactions, Split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.evaluation.evaluator import Evaluation, Evaluator
from alignrec_geo.evaluation.protocols import Protocol
from alignrec_geo.graph.modalities import Modality
from alignrec_geo.graph.profiles import content_profiles, unit_content
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.probing.agreement import agreement
from alignrec_geo.probing.item_cf import item_cf_ranking, item_neighbours
from alignrec_geo.randomness import child_generator

CHANCE, POPULARITY = "chance", "popularity"


@dataclass(frozen=True)
class ProbeRow:
    """What the probe says of one content.

    Args:
        content: names of feature matrices joined by ``+``, ``chance`` or ``popularity``.
        centred: whether the mean vector was subtracted first.
        zero_shot: metrics per user of the zero-shot ranking.
        item_cf: metrics per user of item-CF; ``None`` for popularity.
        agreement: share of content neighbours that are co-interaction neighbours; ``None`` for popularity.
    """

    content: str
    centred: bool
    zero_shot: Evaluation
    item_cf: Evaluation | None
    agreement: float | None


class Probe:
    """Judges content on one data set; made once, called for every content.

    Only items that have all of the compared features take part, so that every row of the table ranks the same items.

    Args:
        dataset: an open data set.
        contents: what will be compared; each a feature name, or several joined by ``+`` (``image+text``).
        split: which pairs are to be found.
        protocol: which items are left out.
        k: content neighbours per item in item-CF and agreement.
        seed: of the random vectors of the chance row.
        device: where neighbours are searched and users are ranked.

    Raises:
        InputError: a feature is unknown, no item has all of them, or nobody can be evaluated.

    Example:
        >>> from alignrec_geo.dataset import make_catalogue
        >>> probe = Probe(make_catalogue(n_users=60, n_items=40, image_size=16), ["image", "image+text"])
        >>> [row.content for row in probe.rows()]
        ['chance', 'popularity', 'image', 'image', 'image+text', 'image+text']
    """

    def __init__(
        self,
        dataset: Dataset,
        contents: Sequence[str],
        split: Split = Split.TEST,
        protocol: Protocol = Protocol.CLEAN,
        k: int = 10,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        self.contents, self.k, self.seed, self.device = list(dict.fromkeys(contents)), k, seed, torch.device(device)
        if not self.contents:
            raise InputError("nothing to compare; name at least one feature matrix")
        names = list(dict.fromkeys(name for content in self.contents for name in content.split("+")))
        features = {name: dataset.features(name) for name in names}
        self.items = np.flatnonzero(np.logical_and.reduce([stored.present for stored in features.values()]))
        if len(self.items) == 0:
            raise InputError(f"no item of '{dataset.name}' has all of: {', '.join(names)}")
        self._matrices = {name: torch.from_numpy(stored.matrix[self.items]) for name, stored in features.items()}
        self.pairs = _with_items(dataset.interactions, self.items)
        self.evaluator = Evaluator(self.pairs, split, protocol)
        train = self.pairs.of(Split.TRAIN)
        self._train = torch.stack([torch.from_numpy(train.user), torch.from_numpy(train.item)])
        known = self.pairs.of(Split.TRAIN, Split.HISTORY)
        places = torch.from_numpy(known.user), torch.from_numpy(known.item)
        self._history = CSR.pattern(*places, (known.n_users, known.n_items))

    def rows(self, report: Callable[[int, int], object] = lambda done, total: None) -> list[ProbeRow]:
        """Every row of the table: chance, popularity, then each content as it is and centred.

        Args:
            report: told after every row how many are done, and of how many.
        """
        chosen = [(content, centred) for content in self.contents for centred in (False, True)]
        rows = [self.chance(), self.popularity()]
        for content, centred in chosen:
            report(len(rows), 2 + len(chosen))
            rows.append(self.row(content, centred))
        report(len(rows), len(rows))
        return rows

    def row(self, content: str, centred: bool) -> ProbeRow:
        """Judge one content; several matrices are scaled to unit rows first, as in training."""
        names = content.split("+")
        parts = [self._modality(name, unit=len(names) > 1) for name in names]
        return self._judge(content, unit_content(parts, centred), centred)

    def chance(self) -> ProbeRow:
        """Judge random vectors as wide as the widest content."""
        width = max(sum(self._matrices[name].shape[1] for name in c.split("+")) for c in self.contents)
        drawn = torch.randn(len(self.items), width, generator=child_generator(self.seed, CHANCE))
        whole = torch.ones(len(self.items), dtype=torch.bool)
        return self._judge(CHANCE, unit_content([Modality(CHANCE, drawn, whole)], False), False)

    def popularity(self) -> ProbeRow:
        """Rank by the number of training interactions."""
        counts = torch.bincount(self._train[1], minlength=self.pairs.n_items).float()
        tables = Embeddings(torch.ones(self.pairs.n_users, 1), counts[:, None])
        return ProbeRow(POPULARITY, False, self.evaluator(tables), None, None)

    def _judge(self, content: str, unit: Tensor, centred: bool) -> ProbeRow:
        unit = unit.to(self.device)
        similarity, neighbour = (part.cpu() for part in item_neighbours(unit, self.k))
        masked, users, deepest = self.evaluator.masked, self.evaluator.users, max(self.evaluator.cutoffs)
        ranking = item_cf_ranking(self._history, masked, similarity, neighbour, users, deepest)
        return ProbeRow(
            content,
            centred,
            zero_shot=self.evaluator(content_profiles(self._history.map(lambda part: part.to(self.device)), unit)),
            item_cf=self.evaluator.measure(ranking),
            agreement=agreement(neighbour, self._train, self.pairs.n_users, self.pairs.n_items, self.k),
        )

    def _modality(self, name: str, unit: bool) -> Modality:
        matrix = F.normalize(self._matrices[name], dim=1) if unit else self._matrices[name]
        return Modality(name, matrix, torch.ones(len(matrix), dtype=torch.bool))


def _with_items(pairs: Interactions, items: np.ndarray) -> Interactions:
    """The pairs with some items only, which are numbered anew in the order given."""
    number = np.full(pairs.n_items, -1, dtype=np.int64)
    number[items] = np.arange(len(items))
    kept = pairs.take(number[pairs.item] >= 0)
    return Interactions(kept.user, number[kept.item], kept.split, pairs.n_users, len(items), kept.timestamp)
