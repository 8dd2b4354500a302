"""The hardest of several negatives, from those that the batch has anyway."""

from collections.abc import Callable
from copy import copy

import torch
from torch import Tensor

from alignrec_geo.embeddings import Embeddings
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.pair_set import PairSet
from alignrec_geo.models.base import Batch


class HardNegatives:
    r"""For every triplet, the best ranked of ``count`` negatives.

    `"Dynamic negative sampling" <https://doi.org/10.1145/2484028.2484126>`_: of ``count`` items drawn uniformly, the
    one with the highest score :math:`h_u^\top h_j` stands in the triplet, as it is the one that a ranking suffers
    from. The other candidates are the negatives of other triplets of the batch, ``B / count`` rows apart: nothing more
    is drawn. Those that the user has in training do not count.

    Args:
        histories: the training pairs, ``[U, I]``.
        count: candidates per triplet, its own negative included.

    Example:
        >>> histories = CSR.pattern(torch.tensor([0, 1]), torch.tensor([0, 1]), (2, 3))
        >>> batch = Batch(torch.tensor([0, 1]), torch.tensor([0, 1]), torch.tensor([1, 2]), 2)
        >>> tables = Embeddings(torch.ones(2, 1), torch.tensor([[0.0], [1.0], [2.0]]))
        >>> HardNegatives(histories, 2)(batch, tables).negatives.tolist()
        [2, 2]
    """

    def __init__(self, histories: CSR, count: int) -> None:
        self.count, self.n_items = count, histories.shape[1]
        (item, user), _ = histories.edges()
        self.known = PairSet(user * self.n_items + item)

    def map(self, function: Callable[[Tensor], Tensor]) -> "HardNegatives":
        """Apply ``function`` (a move) to what is known."""
        moved = copy(self)
        moved.known = self.known.map(function)
        return moved

    @torch.no_grad()
    def __call__(self, batch: Batch, tables: Embeddings) -> Batch:
        """Return the batch with other negatives.

        Args:
            batch: the triplets.
            tables: the rows that score, ``[U, d]`` and ``[I, d]``.
        """
        candidates = self.candidates(batch.negatives)  # [B, n]
        scores = torch.einsum("bd,bnd->bn", tables.users[batch.users], tables.items[candidates])
        known = self.known.contains(batch.users[:, None] * self.n_items + candidates)
        hardest = scores.masked_fill(known, -torch.inf).argmax(dim=1, keepdim=True)  # the own negative is never known
        return batch._replace(negatives=candidates.gather(1, hardest)[:, 0])

    def candidates(self, negatives: Tensor) -> Tensor:
        """The negatives of ``count`` triplets for each, the own one first, ``[B, n]``."""
        step = max(1, len(negatives) // self.count)
        return torch.stack([torch.roll(negatives, -step * number) for number in range(self.count)], dim=1)
