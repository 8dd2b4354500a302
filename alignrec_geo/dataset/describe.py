"""What is in a data set, and what in it will hurt a recommender."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alignrec_geo.dataset.feature_checks import FeatureFacts, feature_facts
from alignrec_geo.dataset.interactions import EVALUATED, Interactions, Split
from alignrec_geo.dataset.store import Dataset
from alignrec_geo.typing import Int64

TINY_SPLIT = 200
NORM_RATIO = 5.0
HEAD_OF_ITEMS = 0.01
HEAD_SHARE = 0.2


@dataclass(frozen=True)
class Coverage:
    """How many items have one kind of content.

    Args:
        items: number of items that have it.
        share: of all items.
        width: columns of a feature matrix, ``None`` for text and images.
    """

    items: int
    share: float
    width: int | None = None


@dataclass(frozen=True)
class Description:
    """Counts, coverage and warnings of a data set.

    Args:
        name: of the data set.
        users: number of users.
        items: number of items.
        interactions: number of pairs, those in no split included.
        density: pairs per cell of the users x items table.
        splits: pairs in ``train``, ``validation``, ``test``.
        history: pairs that are the histories of held-out users.
        unused: pairs in no split.
        split_rule: how the split was made.
        per_user: ``median`` and ``mean`` number of pairs.
        per_item: the same per item.
        modalities: coverage of every feature matrix.
        text: items with a text.
        images: items with an image.
        weights: ``min``, ``median`` and ``max`` of the weights of the pairs; ``None`` without weights.
        warnings: sentences on what will hurt.
        notes: what the import changed or could not use.
    """

    name: str
    users: int
    items: int
    interactions: int
    density: float
    splits: dict[str, int]
    history: int
    unused: int
    split_rule: str
    per_user: dict[str, float]
    per_item: dict[str, float]
    modalities: dict[str, Coverage]
    text: Coverage
    images: Coverage
    weights: dict[str, float] | None = None
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The description as a dictionary of plain values."""
        return asdict(self)


def describe(dataset: Dataset) -> Description:
    """Describe a data set.

    Example:
        >>> from alignrec_geo.dataset import make_catalogue
        >>> describe(make_catalogue(n_users=60, n_items=40, image_size=16)).items
        40
    """
    pairs = dataset.interactions
    n_items = max(pairs.n_items, 1)
    facts = [feature_facts(dataset.features(name)) for name in dataset.feature_names]
    has_text = dataset.items["text"].is_not_null().to_numpy()
    has_image = _with_image(dataset)
    return Description(
        name=dataset.name,
        users=pairs.n_users,
        items=pairs.n_items,
        interactions=len(pairs),
        density=len(pairs) / max(pairs.n_users * pairs.n_items, 1),
        splits=pairs.split_sizes(),
        history=int((pairs.split == Split.HISTORY).sum()),
        unused=int((pairs.split == Split.UNUSED).sum()),
        split_rule=dataset.split_config.rule,
        per_user=_centre(pairs.user_degree()),
        per_item=_centre(pairs.item_degree()),
        modalities={f.name: Coverage(int(f.present.sum()), float(f.present.mean()), f.width) for f in facts},
        text=Coverage(int(has_text.sum()), float(has_text.sum() / n_items)),
        images=Coverage(int(has_image.sum()), float(has_image.sum() / n_items)),
        weights=None if pairs.weight is None else _weights(pairs.weight),
        warnings=[
            *_split_warnings(pairs),
            *_popularity_warnings(pairs),
            *_content_warnings(facts, has_text | has_image),
            *(sentence for fact in facts for sentence in fact.warnings()),
            *_norm_warnings(facts),
            *(note for note in dataset.notes if "duplicate rows" in note),
        ],
        notes=list(dataset.notes),
    )


def _weights(weight: NDArray[np.float32]) -> dict[str, float]:
    return {"min": float(weight.min()), "median": float(np.median(weight)), "max": float(weight.max())}


def _with_image(dataset: Dataset) -> NDArray[np.bool_]:
    """Items with a stored image, or with one that :meth:`Dataset.save` would store."""
    stored: NDArray[np.bool_] = dataset.items["image"].is_not_null().to_numpy()
    if dataset.images is None:
        return stored
    stems = pl.Series([stem for stem, _, _ in dataset.images], dtype=pl.String)
    pending: NDArray[np.bool_] = dataset.items["id"].is_in(stems.to_list()).to_numpy()
    return stored | pending


def _centre(counts: Int64) -> dict[str, float]:
    if not len(counts):
        return {"median": 0.0, "mean": 0.0}
    return {"median": float(np.median(counts)), "mean": float(counts.mean())}


def _split_warnings(pairs: Interactions) -> list[str]:
    said = []
    held = np.isin(pairs.split, (Split.VALIDATION, Split.TEST))
    for kind, rows, count, known in (
        ("users", pairs.user, pairs.n_users, (Split.TRAIN, Split.HISTORY)),
        ("items", pairs.item, pairs.n_items, (Split.TRAIN,)),
    ):
        cold = np.bincount(rows[np.isin(pairs.split, known)], minlength=count) == 0
        if cold.any():
            meaning = "nothing is known of them" if kind == "users" else "only content can place them"
            said.append(
                f"{int(cold.sum())} of {len(cold)} {kind} have no training pair ({meaning}); "
                f"{int(cold[rows[held]].sum())} validation and test pairs are theirs"
            )
    for split in EVALUATED[1:]:
        size = int((pairs.split == split).sum())
        if size == 0:
            said.append(f"there are no {split.label} pairs")
        elif size < TINY_SPLIT:
            said.append(f"only {size} {split.label} pairs: metrics on them will be noisy")
    return said


def _popularity_warnings(pairs: Interactions) -> list[str]:
    head = round(pairs.n_items * HEAD_OF_ITEMS)
    said = []
    for split in (Split.TRAIN, Split.TEST):
        degree = np.sort(np.bincount(pairs.item[pairs.split == split], minlength=pairs.n_items))[::-1]
        share = degree[:head].sum() / max(degree.sum(), 1)
        if head and share >= HEAD_SHARE:
            said.append(
                f"popularity is concentrated: {head} items (1 %) hold {share:.0%} of the {split.label} "
                "pairs; look at metrics by item group too"
            )
    return said


def _content_warnings(facts: list[FeatureFacts], raw: NDArray[np.bool_]) -> list[str]:
    covered = raw.copy()
    for fact in facts:
        covered |= fact.present
    bare = int((~covered).sum())
    if not covered.any():
        return ["no item has content (features, text or image): only ID-only models can be trained"]
    return [f"{bare} of {len(covered)} items have no content at all (features, text or image)"] if bare else []


def _norm_warnings(facts: list[FeatureFacts]) -> list[str]:
    norms = sorted((fact.norm, fact.name) for fact in facts if fact.norm > 0)
    if len(norms) < 2 or norms[-1][0] < NORM_RATIO * norms[0][0]:
        return []
    (low, weak), (high, strong) = norms[0], norms[-1]
    return [
        f"the vectors of '{strong}' are {high / low:.1f} times as long as those of '{weak}' (median): "
        "normalise rows before joining them"
    ]
