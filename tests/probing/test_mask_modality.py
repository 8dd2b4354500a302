from collections.abc import Collection, Sequence

import numpy as np
import pytest
import torch

from alignrec_geo.content.item_encoder import NewItem
from alignrec_geo.dataset import Dataset, Features
from alignrec_geo.errors import InputError
from alignrec_geo.probing.mask_modality import ENCODED, ZEROED, half_of_items, mask_modality
from tests.dataset.toys import dataset

ITEMS = np.array([0, 2])


class Encoder:
    """Says which modalities it saw, and the item's id; the last item has nothing without its text."""

    name, width = "fake", 3
    modalities: tuple[str, ...] = ("image", "text")

    def encode(self, items: Sequence[NewItem], masked: Collection[str] = ()) -> tuple[torch.Tensor, torch.Tensor]:
        rows = [[float("image" not in masked), float("text" not in masked), float(len(item.id))] for item in items]
        has = torch.tensor([not (item.id == "pen" and "text" in masked) for item in items])
        return torch.tensor(rows) * has[:, None], has


def toy() -> Dataset:
    full = np.ones((3, 3), dtype=np.float32)
    return dataset().with_features(*(Features(name, full, np.ones(3, dtype=np.bool_)) for name in ("both", "plain")))


def run(contents: list[str]) -> tuple[list, list]:
    seen = []

    def train(data: Dataset, names: Sequence[str], seed: int) -> dict[str, float]:
        seen.append({name: data.features(name) for name in names} | {"seed": seed})
        return {"recall@20": float(seed)}

    return mask_modality(toy(), contents, train, {"both": Encoder()}, [1, 2], ITEMS), seen


def test_each_modality_is_hidden_in_turn() -> None:
    rows, seen = run(["both+plain", "plain"])
    assert [(row.content, row.hidden, row.how) for row in rows] == [
        ("both+plain", None, ""),
        ("both+plain", "image", ENCODED),
        ("both+plain", "text", ENCODED),
        ("both+plain", "both", ZEROED),
        ("both+plain", "plain", ZEROED),
        ("plain", None, ""),
        ("plain", "plain", ZEROED),
    ]
    assert [run["seed"] for run in seen] == [1, 2] * 7
    assert rows[0].mean("recall@20") == 1.5


def test_only_the_chosen_items_change() -> None:
    _, seen = run(["both+plain"])
    whole, image, text, both, plain = seen[::2]
    for changed, name in ((image, "both"), (text, "both"), (both, "both"), (plain, "plain")):
        assert changed[name].matrix[1].tolist() == [1, 1, 1]
        other = "plain" if name == "both" else "both"
        assert changed[other].matrix.tolist() == whole[other].matrix.tolist()
    assert image["both"].matrix[ITEMS].tolist() == [[0, 1, 3], [0, 1, 3]]
    names = toy().items["id"].to_list()
    there = [name != "pen" for name in names]
    assert text["both"].present.tolist() == [there[0] or 0 not in ITEMS, True, there[2] or 2 not in ITEMS]
    assert both["both"].present.tolist() == [False, True, False]
    assert not both["both"].matrix[ITEMS].any()


def test_the_half_is_fixed_by_its_seed() -> None:
    assert half_of_items(11, 0).tolist() == half_of_items(11, 0).tolist() != half_of_items(11, 1).tolist()
    assert len(set(half_of_items(11, 0).tolist())) == 6
    assert half_of_items(4, 0, share=1.0).tolist() == [0, 1, 2, 3]
    with pytest.raises(InputError, match="share of the items"):
        half_of_items(4, 0, share=0.0)
