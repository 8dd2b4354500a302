"""From a trained model, a user and an item to an explanation."""

from os import PathLike
from typing import Any

import numpy as np
import torch

from alignrec_geo.dataset.ids import text_id
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.errors import InputError
from alignrec_geo.explaining.explanation import EXACT, FIRST_ORDER, PARTS, REST, Explanation, PastItem
from alignrec_geo.memory import enough_memory
from alignrec_geo.models.attribution import attribute
from alignrec_geo.models.base import Recommender
from alignrec_geo.models.contributions import SOURCES
from alignrec_geo.models.held_out import HeldOut
from alignrec_geo.models.registry import model_name
from alignrec_geo.models.stored import load


def explain(
    run: Recommender | str | PathLike[str], user: Any, item: Any, dataset: Any = None, trust: bool = False
) -> Explanation:
    r"""Say why an item has its score for a user: which branch makes it, and which past items carry it.

    Every model ends in two vectors whose dot product is the score, and most models make each of them as a sum of an
    identity branch (what is learned for an ID) and a content branch (what depends on the features). With
    :math:`h_u = c_u + m_u` and :math:`h_i = c_i + m_i` the score is

    .. math::
        h_u^\top h_i = \underbrace{c_u^\top c_i}_{\text{identity-identity}}
        + \underbrace{c_u^\top m_i}_{\text{identity-content}}
        + \underbrace{m_u^\top c_i}_{\text{content-identity}}
        + \underbrace{m_u^\top m_i}_{\text{content-content}}

    A propagation without weights is linear, so the user's vector is a sum over paths, each of which enters the user
    from one of the training items :math:`j \in \mathcal N(u)`. On the identity branch of LightGCN, FREEDOM and AlignRec
    (:math:`x^{(l)} = \hat A^l [P; Q]`), and on AlignRec's content branch,

    .. math::
        c_u = \frac{P_u}{L+1} + \sum_{j \in \mathcal N(u)} \frac{\hat A_{uj}}{L+1} \sum_{l=0}^{L-1} x^{(l)}_j,
        \qquad m_u = \sum_{j \in \mathcal N(u)} \hat R_{uj}\, m_j

    and past item j brings its summands' dot product with :math:`h_i`. These sums are ``exact``, to rounding. Models
    that are not linear, and layers with weights, have a ``first-order approximation`` in their place: gradient × input,
    which leaves a remainder (see :mod:`alignrec_geo.models.first_order`). Which of both it is, is said for the parts
    and for the history.

    Args:
        run: run folder, or a trained model with its data set.
        user: external id of a user with training interactions.
        item: external id of an item.
        dataset: the data set of the run, or its folder, if it was moved.
        trust: run code (class paths of layers) that the run folder names. Only for folders of one's own.

    Raises:
        InputError: no run folder with a model, an unknown id, a user without a training interaction, or an item of a
            split that holds out whole items, whose vector is not the model's own.

    Shapes:
        - vectors :math:`c, m, h` are ``[d]``; there is no unit: scores are compared, and their parts like them

    Example:
        >>> from alignrec_geo import AlignRec, make_catalogue
        >>> model = AlignRec.from_dataset(make_catalogue(n_users=60, n_items=40, image_size=16))
        >>> why = explain(model, user="user-0001", item="item-0007")
        >>> abs(sum(why.parts.values()) - why.score) < 1e-5, why.parts_are, why.history_is
        (True, 'exact', 'exact')
    """
    model = run if isinstance(run, Recommender) else load(run, dataset, trust)
    data = model.dataset
    if data is None:
        raise InputError("this model was made from a graph alone; set model.dataset to have external ids")
    user_row, item_row = (
        int(rows(text_id(name, kind))[0])
        for name, kind, rows in ((user, "user", data.user_rows), (item, "item", data.item_rows))
    )
    train = data.interactions.of(Split.TRAIN)
    history = torch.from_numpy(train.item[train.user == user_row])
    if not len(history):
        name = data.users["id"][user_row]
        raise InputError(
            f"user '{name}' has no training interaction, so the model has learned nothing of what the user likes"
        )
    held_out = HeldOut(model, data)
    if held_out.places(item_row):
        raise InputError(
            f"item '{data.items['id'][item_row]}' has no training interaction: data set '{data.name}' holds out whole "
            "items, which are ranked by a mean of the items nearest to them by content, not by the model's own vector; "
            "'similar' names such items"
        )
    training = model.training
    model.eval()
    try:
        with enough_memory(type(model).__name__), torch.no_grad():
            tables = model.encode()
            found = attribute(model, tables, user_row, item_row, history)
            scores = (held_out.placed_among(tables.items) @ tables.users[user_row]).cpu().numpy()
    finally:
        model.train(training)
    past = found.history
    order = past.carried.sum(dim=1).argsort(descending=True, stable=True).tolist()
    parts = found.parts[:2, :2].flatten().tolist()
    rank, candidates = _rank(data, user_row, item_row, scores)
    return Explanation(
        model=model_name(type(model)),
        dataset=data.name,
        user=data.users["id"][user_row],
        item=data.items["id"][item_row],
        title=data.items["title"][item_row],
        score=found.score,
        rank=rank,
        candidates=candidates,
        parts={**dict(zip(PARTS, parts, strict=True)), REST: found.score - sum(parts)},
        history=[_past_item(data, int(past.items[place]), *past.carried[place].tolist()) for place in order],
        elsewhere=past.elsewhere,
        remainder=found.remainder,
        sources=dict(zip(SOURCES, past.sources.tolist(), strict=True)),
        parts_are=EXACT if found.exact_parts else FIRST_ORDER,
        history_is=EXACT if found.exact_history else FIRST_ORDER,
        image=data.image_path(item_row),
    )


def _rank(data: Dataset, user: int, item: int, scores: Any) -> tuple[int | None, int]:
    """The item's place among what the user has not interacted with in any split, and how many items those are."""
    pairs = data.interactions
    unseen = np.ones(pairs.n_items, dtype=np.bool_)
    unseen[pairs.item[pairs.user == user]] = False
    rank = 1 + int((scores[unseen] > scores[item]).sum()) if unseen[item] else None
    return rank, int(unseen.sum())


def _past_item(data: Dataset, row: int, identity: float, content: float) -> PastItem:
    return PastItem(data.items["id"][row], data.items["title"][row], identity, content, data.image_path(row))
