"""A model that begins with the parameters of another, which knew fewer users and items."""

import torch
from torch import Tensor

from alignrec_geo.checkpoint import trainable_state
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.embeddings import Embeddings
from alignrec_geo.errors import InputError
from alignrec_geo.graph.modalities import Modality
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.models.base import Recommender
from alignrec_geo.serving.cold import NeighbourMean
from alignrec_geo.serving.folding import fitted_folding

CONTENT = ("content", "encoder.tables.")
"""Parameters that start as the items' content: new rows are the new items' own."""


@torch.no_grad()
def warm_start(model: Recommender, trained: Recommender, keep: float = 1.0) -> None:
    r"""Give a model the parameters of a trained one.

    Every parameter begins at

    .. math::

        \theta = \kappa \, \theta_{\text{trained}} + (1 - \kappa) \, \theta_{\text{fresh}}

    with the values :math:`\theta_{\text{fresh}}` that the model was made with. For :math:`\kappa = 1` it goes on from
    where the trained one ended. Such a start often ends at a worse model than a fresh one does on the same data; a
    smaller :math:`\kappa` (*shrink and perturb*, `Ash and Adams, 2020 <https://arxiv.org/abs/1910.08475>`_) keeps the
    head start without that.

    Tables with a row per user or item get the old rows. A new item's row is made of its content neighbours' rows, as
    :class:`~alignrec_geo.serving.NeighbourMean` makes vectors; one without content keeps the row that the model was
    made with. A new user's row is regressed from the items in the history that the trained model knows
    (:func:`~alignrec_geo.serving.folding.fitted_folding`). Everything else is copied; what depends on the graph is the
    model's own.

    Args:
        model: the new model; the rows of the old users and items come first in its data set, as
            :func:`~alignrec_geo.dataset.extend.extended` leaves them.
        trained: the model to begin with.
        keep: :math:`\kappa`, from 0 to 1.

    Raises:
        InputError: the models are of different classes or settings, the data set does not begin with the old one's
            users and items, or ``keep`` is out of range.
    """
    check_keep(keep)
    before, now = _dataset(trained), _dataset(model)
    if type(model) is not type(trained):
        raise InputError(f"a {type(model).__name__} cannot begin with the parameters of a {type(trained).__name__}")
    for kind in ("users", "items"):
        old = getattr(before, kind)["id"]
        if not getattr(now, kind)["id"].head(len(old)).equals(old):
            raise InputError(f"data set '{now.name}' does not begin with the {kind} of '{before.name}'")
    rows = _NewRows(before, now, trained)
    sizes = [(data.interactions.n_users, data.interactions.n_items) for data in (before, now)]
    own, given = trainable_state(model), trainable_state(trained)
    parameters = dict(model.named_parameters())
    fresh = {name: value.detach().clone() for name, value in parameters.items()} if keep < 1 else {}
    for name, target in own.items():
        source = given.get(name)
        if source is None or source.shape[1:] != target.shape[1:]:
            raise InputError(f"the models have different settings: parameter '{name}' does not fit")
        if source.shape == target.shape and sizes[0] == sizes[1]:
            target.copy_(source)
        elif (parts := _parts(source, target, *sizes)) is not None:
            for old_part, new_part, kind in parts:
                new_part[: len(old_part)] = old_part
                if name in parameters and not name.startswith(CONTENT):
                    rows.fill(old_part, new_part, kind)
        elif source.shape == target.shape:
            target.copy_(source)
        elif name in parameters:
            raise InputError(f"the models have different settings: parameter '{name}' does not fit")
    for name, value in fresh.items():
        if name in own:
            value.lerp_(parameters[name], keep)
            parameters[name].copy_(value)


def check_keep(keep: float) -> None:
    """Refuse a share that is none.

    Raises:
        InputError: it does not lie from 0 to 1.
    """
    if not 0 <= keep <= 1:
        raise InputError(f"keep must be from 0 to 1 (got {keep})")


def _dataset(model: Recommender) -> Dataset:
    if model.dataset is None:
        raise InputError("a warm start needs models that were made for a data set")
    return model.dataset


def _parts(
    source: Tensor, target: Tensor, old: tuple[int, int], new: tuple[int, int]
) -> list[tuple[Tensor, Tensor, str]] | None:
    """The tables of users and items that two parameters consist of; ``None`` where they are something else."""
    lengths = (len(source), len(target)) if source.dim() else (-1, -1)
    if lengths == (sum(old), sum(new)):
        return [
            (source[: old[0]], target[: new[0]], "user"),
            (source[old[0] :], target[new[0] :], "item"),
        ]
    for number, kind in enumerate(("user", "item")):
        if lengths == (old[number], new[number]):
            return [(source, target, kind)]
    return None


class _NewRows:
    """Rows of users and items that the trained model did not know."""

    def __init__(self, before: Dataset, now: Dataset, trained: Recommender) -> None:
        self.before, self.trained = before, trained
        self.n_users, self.n_items = before.interactions.n_users, before.interactions.n_items
        self.tables = trained.embeddings()
        self.content = self._content(now)
        train = now.interactions.of(Split.TRAIN)
        fresh = (train.user >= self.n_users) & (train.item < self.n_items)
        self.histories = CSR.pattern(
            torch.from_numpy(train.user[fresh] - self.n_users),
            torch.from_numpy(train.item[fresh]),
            (now.interactions.n_users - self.n_users, self.n_items),
        )

    def fill(self, old: Tensor, new: Tensor, kind: str) -> None:
        """Write the rows of a table after those of the old users or items."""
        if len(new) == len(old):
            return
        if kind == "user":
            rule = fitted_folding(Embeddings(old, self.tables.items), self.trained.histories())
            new[len(old) :] = rule(self.histories).to(new)
        elif self.content is not None:
            table = Embeddings(old, old)
            vectors, known = NeighbourMean(table, self.before, self.trained.features)(self.content)
            new[len(old) :][known] = vectors[known].to(new)

    def _content(self, now: Dataset) -> Tensor | None:
        """Where the new items lie in the space in which items are compared; ``None`` without features."""
        if not self.trained.features:
            return None
        rule = NeighbourMean(self.tables, self.before, self.trained.features)
        parts = []
        for name in self.trained.features:
            stored = now.features(name)
            x, present = (torch.from_numpy(part[self.n_items :]) for part in (stored.matrix, stored.present))
            parts.append(Modality(name, x, present))
        return rule.space.place(parts)
