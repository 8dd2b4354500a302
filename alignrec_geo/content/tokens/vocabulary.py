"""The words of a data set, numbered without gaps, and how much each of them says."""

import math
from collections.abc import Collection
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alignrec_geo.errors import InputError
from alignrec_geo.typing import Int64


class Vocabulary:
    r"""Token ids that occur in several texts; a head over these is much smaller than one over a tokenizer's 30,000.

    A word's weight is its inverse document frequency :math:`\ln(N / n_w)`, with N texts of which :math:`n_w` have it.

    Args:
        ids: token ids, ascending, ``[V]``.
        weight: their weights, ``[V]`` float32.

    Example:
        >>> words = Vocabulary.count(np.array([7, 8, 7, 9]), np.array([0, 2, 4]), special=[9], least=2)
        >>> words.ids.tolist(), words.number(torch.tensor([[7, 8, 9]])).tolist()
        ([7], [[0, -1, -1]])
    """

    def __init__(self, ids: Int64, weight: NDArray[np.float32]) -> None:
        self.ids, self.weight = ids, torch.from_numpy(weight)
        self._number = torch.full((int(ids.max()) + 1,), -1, dtype=torch.int64)
        self._number[torch.from_numpy(ids)] = torch.arange(len(ids))

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def count(cls, ids: NDArray[Any], offsets: Int64, special: Collection[int], least: int = 2) -> "Vocabulary":
        """Make the vocabulary of texts.

        Args:
            ids: token ids of all texts, one after the other, ``[total]``.
            offsets: text ``n`` is ``ids[offsets[n]:offsets[n + 1]]``, ``[N + 1]``.
            special: ids that are no words.
            least: texts that a word must occur in.

        Raises:
            InputError: no word occurs in so many texts.
        """
        texts = len(offsets) - 1
        text = np.repeat(np.arange(texts), np.diff(offsets))
        distinct = np.unique(np.stack([text, np.asarray(ids, dtype=np.int64)]), axis=1)[1]  # a word once per text
        words, times = np.unique(distinct, return_counts=True)
        kept = (times >= least) & ~np.isin(words, list(special))
        if not kept.any():
            raise InputError(f"no word occurs in {least} texts or more ({texts} texts); too few to learn from")
        return cls(words[kept], np.log(texts / times[kept]).astype(np.float32))

    def number(self, ids: Tensor) -> Tensor:
        """The words' numbers in this vocabulary, -1 for others; any shape."""
        known = ids < len(self._number)
        return torch.where(known, self._number[ids.where(known, torch.zeros_like(ids))], -1)

    def bags(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Each text as a distribution over the words it has, by their weights.

        Args:
            ids: token ids, ``[n, T]``.
            mask: true at tokens, ``[n, T]`` bool.

        Returns:
            ``[n, V]``, rows sum to 1; a text without any word of the vocabulary gets zeros.
        """
        number = self.number(ids).where(mask, torch.full_like(ids, -1))
        bags = torch.zeros(len(ids), len(self) + 1)
        bags.scatter_(1, number % (len(self) + 1), 1.0)  # -1 becomes the last column
        weighted = bags[:, :-1] * self.weight
        return weighted / weighted.sum(dim=1, keepdim=True).clamp_min(math.ulp(1.0))
