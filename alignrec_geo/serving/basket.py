"""A user of whom only some items are known."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from alignrec_geo.errors import InputError
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.topk import blocked_top_k
from alignrec_geo.serving.candidates import Candidates
from alignrec_geo.serving.prepared import Prepared
from alignrec_geo.serving.ranking import Pairs

NEIGHBOURS = 10
"""How many known items stand for one that the model was not made with."""


class Basket:
    """The items that are known of a user.

    An item that came after training, which only the vectors of cold items know, counts as the :data:`NEIGHBOURS` items
    with a training interaction whose vectors have the largest cosine with its own, each as a part of one item.

    Args:
        model: the tables, with the rule by which users are folded in.
        ids: external ids as text.

    Raises:
        InputError: there are none, one is unknown, or the tables came without a rule.
    """

    def __init__(self, model: Prepared, ids: Sequence[str]) -> None:
        if model.fold_in is None:
            raise InputError("these tables came without the model's rule for new users; pass fold_in=model.fold_in")
        self._model, self.ids = model, list(dict.fromkeys(ids))
        if not self.ids:
            raise InputError("the basket is empty; name at least one item")
        rows = {name: model.trained.rows.get(name) for name in self.ids}
        self.known = [row for row in rows.values() if row >= 0]
        later = [name for name, row in rows.items() if row < 0]
        cold = model.cold_items
        unknown = [name for name in later if cold is None or name not in set(cold.ids)]
        if unknown:
            model.dataset.item_rows(unknown)  # raises, and names items that there are
        place = {} if cold is None else {name: number for number, name in enumerate(cold.ids)}
        self._later = None if cold is None or not later else cold.vectors[[place[name] for name in later]]

    def history(self) -> CSR:
        """What the user is folded in by, ``[1, I]``."""
        items, weights = torch.tensor(self.known, dtype=torch.long), torch.ones(len(self.known))
        if self._later is not None:
            warm = torch.from_numpy(np.flatnonzero(~self._model.trained.cold))
            near = self._model.trained.unit_vectors[warm.to(self._model.trained.vectors.device)]
            rows = torch.arange(len(self._later))
            for _, _, columns in blocked_top_k(F.normalize(self._later, dim=1), near, rows, NEIGHBOURS):
                found = warm[columns].flatten()
                items = torch.cat([items, found])
                weights = torch.cat([weights, torch.full((len(found),), 1.0 / columns.shape[1])])
        return CSR.from_coo(torch.zeros_like(items), items, weights, (1, len(self._model.trained)))

    def vector(self) -> Tensor:
        """The user's vector, ``[1, D]``."""
        assert self._model.fold_in is not None
        vectors = self._model.candidates(False).vectors
        user = self._model.fold_in(self.history()).to(vectors)
        if not bool(torch.isfinite(user).all()):
            raise InputError("the basket gives a vector with NaN or infinity; the run's fold-in rule is damaged")
        return user

    def pairs(self, candidates: Candidates) -> Pairs:
        """Its items among those that are ranked, for the only user."""
        rows = np.array([row for row in map(candidates.rows.get, self.ids) if row >= 0], dtype=np.int64)
        return np.zeros_like(rows), np.sort(rows)
