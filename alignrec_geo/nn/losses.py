"""The terms of a loss, as parts that can be left out, weighted and combined with custom ones."""

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from alignrec_geo.errors import InputError
from alignrec_geo.kernels.infonce import infonce
from alignrec_geo.kernels.similarity_gap import similarity_gap
from alignrec_geo.kernels.uniformity import uniformity
from alignrec_geo.kernels.unique import take_first, take_first_ids, weight_of
from alignrec_geo.nn.views import BatchViews, Triplets


def _number(value: Any, name: str, above: bool = False) -> float:
    """A weight, at least 0, or with ``above`` a temperature, which must be more."""
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not good or value < 0 or (above and value == 0):
        raise InputError(f"losses: {name} must be a number {'above' if above else 'of at least'} 0 (got {value!r})")
    return float(value)


LossFn = Callable[[BatchViews, Triplets], Tensor | Mapping[str, Tensor]]
"""A custom term: from the views and the batch to a scalar (or several, by name), already weighted."""


class LossTerm:
    """A weighted term of the loss.

    Attributes:
        name: what it is called in the progress bar and in ``metrics.jsonl``.
        needs_content: whether it compares the content branch with something, so that features are needed.
        separate: whether it has work enough to run beside the other terms on a GPU.
    """

    name: ClassVar[str]
    needs_content: ClassVar[bool] = False
    separate: ClassVar[bool] = False
    weight: float

    def __call__(self, views: BatchViews, batch: Triplets) -> Tensor | Mapping[str, Tensor]:
        """Return the weighted term."""
        raise NotImplementedError

    def __repr__(self) -> str:
        """What :func:`~alignrec_geo.nn.loss_list.parse_losses` reads."""
        return f"{self.name}({', '.join(f'{value:.12g}' for value in vars(self).values())})"


class BPR(LossTerm):
    r"""`"Bayesian Personalized Ranking" <https://arxiv.org/abs/1205.2618>`_: :math:`-\log \sigma(h_u^\top h_{i^+} -
    h_u^\top h_{i^-})`."""

    name = "bpr"

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = _number(weight, "weight")

    def __call__(self, views: BatchViews, batch: Triplets) -> Tensor:
        """Return the weighted term."""
        return views.pair.bpr if self.weight == 1.0 else self.weight * views.pair.bpr


class L2(LossTerm):
    r"""Half the squared norms of the fused rows over the configured batch size."""

    name = "l2"

    def __init__(self, weight: float = 1e-4) -> None:
        self.weight = _number(weight, "weight")

    def __call__(self, views: BatchViews, batch: Triplets) -> Tensor:
        """Return the weighted term."""
        return self.weight * views.pair.l2


class UIA(LossTerm):
    r"""User-item alignment of `"AlignRec" <https://arxiv.org/abs/2403.12384>`_: :math:`1 - \cos(h_u, h_{i^+})`."""

    name = "uia"

    def __init__(self, weight: float = 0.1) -> None:
        self.weight = _number(weight, "weight")

    def __call__(self, views: BatchViews, batch: Triplets) -> Tensor:
        """Return the weighted term."""
        return self.weight * views.pair.uia


class _ContentTerm(LossTerm):
    """Terms between content and identity; items without content have no part in them."""

    needs_content = True

    def _sides(self, views: BatchViews) -> list[tuple[Tensor, Tensor, Tensor | None]]:
        """Content, identity and number of the distinct users, then of the distinct positives that have content."""
        content, identity = views.require_content(), views.identity
        sides = []
        for query, key, distinct in (
            (content.rows.user, identity.user, content.users),
            (content.rows.positive, identity.positive, content.positives),
        ):
            sides.append((take_first(query, distinct), take_first(key, distinct), weight_of(distinct)))
        return sides


class CCA(_ContentTerm):
    r"""Content-ID alignment of `"AlignRec" <https://arxiv.org/abs/2403.12384>`_: InfoNCE of the content branch (the
    query) and the identity branch, of the batch's users and of its positives."""

    name = "cca"

    def __init__(self, weight: float = 0.01, temperature: float = 0.2) -> None:
        self.weight, self.temperature = _number(weight, "weight"), _number(temperature, "temperature", above=True)

    def __call__(self, views: BatchViews, batch: Triplets) -> Tensor:
        """Return the weighted term."""
        sides = self._sides(views)
        if all(times is None for _, _, times in sides):  # of one shape: both at once
            content, identity = (torch.stack(rows) for rows in list(zip(*sides, strict=True))[:2])
            return self.weight * infonce(content, identity, self.temperature).sum()
        users, items = (
            infonce(content, identity, self.temperature, weight=counts) for content, identity, counts in sides
        )
        return self.weight * (users + items)


class SymmetricInfoNCE(_ContentTerm):
    r"""As :class:`CCA`, but the mean of both directions, as in `"CLIP" <https://arxiv.org/abs/2103.00020>`_."""

    name = "symmetric_infonce"

    def __init__(self, weight: float = 0.01, temperature: float = 0.2) -> None:
        self.weight, self.temperature = _number(weight, "weight"), _number(temperature, "temperature", above=True)

    def __call__(self, views: BatchViews, batch: Triplets) -> Tensor:
        """Return the weighted term."""
        terms = []
        for content, identity, counts in self._sides(views):
            terms.append(infonce(content, identity, self.temperature, weight=counts))
            terms.append(infonce(identity, content, self.temperature, weight=counts))
        return self.weight / 2.0 * torch.stack(terms).sum()


class REG(LossTerm):
    r"""The similarity regulariser of `"AlignRec" <https://arxiv.org/abs/2403.12384>`_: inner products of the positives'
    content branch stay near the cosines of their content vectors."""

    name = "reg"
    needs_content = True
    separate = True

    def __init__(self, weight: float = 0.1) -> None:
        self.weight = _number(weight, "weight")

    def __call__(self, views: BatchViews, batch: Triplets) -> Tensor:
        """Return the weighted term."""
        content = views.require_content()
        distinct = content.positives
        anchor = content.anchor(take_first_ids(batch.positives, distinct))
        return self.weight * similarity_gap(take_first(content.rows.positive, distinct), anchor, weight_of(distinct))


class SampledSoftmax(LossTerm):
    r"""Softmax over the batch's positives, on cosines: `"On the Effectiveness of Sampled Softmax Loss for Item
    Recommendation" <https://arxiv.org/abs/2201.02327>`_.

    .. math::
        -\log \frac{e^{\cos(h_u, h_{i^+}) / \tau}}{\sum_{j \in \text{batch}} e^{\cos(h_u, h_j) / \tau}}

    Other occurrences of :math:`i^+` in the batch are left out of the sum.
    """

    name = "sampled_softmax"

    def __init__(self, weight: float = 1.0, temperature: float = 0.2) -> None:
        self.weight, self.temperature = _number(weight, "weight"), _number(temperature, "temperature", above=True)

    def __call__(self, views: BatchViews, batch: Triplets) -> Tensor:
        """Return the weighted term."""
        rows = views.fused
        return self.weight * infonce(rows.user, rows.positive, self.temperature, ids=batch.positives)


class DirectAU(LossTerm):
    r"""Alignment and uniformity, `"Towards Representation Alignment and Uniformity in Collaborative Filtering"
    <https://arxiv.org/abs/2206.12811>`_; two terms, ``alignment`` and ``uniformity``.

    .. math::
        \text{mean}\, \|\hat h_u - \hat h_{i^+}\|^2 + \frac{\gamma}{2} \big(\text{unif}(h_u) + \text{unif}(h_{i^+})\big)

    See :func:`~alignrec_geo.kernels.uniformity.uniformity`.
    """

    name = "directau"

    def __init__(self, weight: float = 1.0, gamma: float = 1.0) -> None:
        self.weight, self.gamma = _number(weight, "weight"), _number(gamma, "gamma")

    def __call__(self, views: BatchViews, batch: Triplets) -> Mapping[str, Tensor]:
        """Return both weighted terms."""
        user, item = views.fused.user, views.fused.positive
        apart = F.normalize(user, dim=1) - F.normalize(item, dim=1)
        spread = (uniformity(user) + uniformity(item)) / 2.0
        return {
            "alignment": self.weight * apart.square().sum(dim=1).mean(),
            "uniformity": self.weight * self.gamma * spread,
        }


LOSSES: dict[str, type[LossTerm]] = {
    kind.name: kind for kind in (BPR, L2, UIA, CCA, REG, SampledSoftmax, DirectAU, SymmetricInfoNCE)
}
"""The terms by name."""
