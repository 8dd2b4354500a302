"""The benchmarks of users that come later and of updates."""

import numpy as np
import pytest
import torch
from quality import fold_in, update

from alignrec_geo.dataset import SplitConfig, make_catalogue
from alignrec_geo.dataset.interactions import Split
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.models import MODELS


@pytest.fixture(scope="module")
def catalogue():
    return make_catalogue(n_users=100, n_items=60, image_size=16)


def test_item_cosines_are_those_of_the_columns():
    generator = torch.Generator().manual_seed(0)
    dense = (torch.rand(30, 12, generator=generator) < 0.4).float()
    dense[0] = 1.0
    user, item = torch.nonzero(dense, as_tuple=True)
    pairs = CSR.pattern(user, item, (30, 12))
    found = fold_in.item_similarity(pairs, 12, 0.5).to_dense()
    unit = dense / dense.norm(dim=0)
    torch.testing.assert_close(found, (unit.T @ unit).fill_diagonal_(0.0))
    shared = fold_in.item_similarity(pairs, 12, 0.0).to_dense()
    torch.testing.assert_close(shared, ((dense.T @ dense) / dense.norm(dim=0)[:, None]).fill_diagonal_(0.0))
    nearest = fold_in.item_similarity(pairs, 3, 0.5).to_dense()
    assert ((nearest > 0).sum(dim=1) == 3).all()
    torch.testing.assert_close(nearest.max(dim=1).values, found.max(dim=1).values)


def test_every_row_of_the_table_is_of_the_same_users(catalogue):
    data = catalogue.with_split(SplitConfig(rule="cold-users", validation=0.2, test=0.2))
    measured = fold_in.Measured(data)
    knn = measured.item_knn()
    assert knn["k"] in fold_in.NEIGHBOURS
    found = measured.variants(MODELS["lightgcn"].from_dataset(data, config={"dim": 8}))
    assert list(found) == ["", ", own row zero", ", mean of the items", ", regressed"]
    assert found[""] != found[", own row zero"]
    assert 0 < knn["test"]["recall@20"]["mean"] <= 1
    assert "lightgcn" in fold_in.table({"item-knn": knn, "lightgcn": {"runs": [found[""]]}})
    with pytest.raises(SystemExit, match="cold-users"):
        fold_in.Measured(catalogue)


def test_the_old_run_knows_nothing_of_what_comes_later(catalogue):
    old, new, items = update.parts(catalogue, seed=0)
    pairs = len(catalogue.interactions)
    assert len(old.interactions) + len(new.interactions) == pairs
    assert len(old.interactions) == round(update.OLD * pairs)
    assert set(np.unique(old.interactions.split)) == {Split.TRAIN, Split.VALIDATION}
    assert len(new.interactions.of(Split.TEST)) == pairs - round(update.VALIDATION * pairs)
    assert not set(items["id"]) & set(old.items["id"])
    rows = update.rows_of(catalogue, items)
    assert {name: len(part[0]) for name, part in rows.items()} == {"image": items.height, "text": items.height}
    first = old.items["id"][0]
    there = catalogue.item_rows([first])[0]
    np.testing.assert_array_equal(old.features("text").matrix[0], catalogue.features("text").matrix[there])
    times = dict(zip(catalogue.interactions.keys().tolist(), catalogue.interactions.timestamp.tolist(), strict=True))

    def when(part):
        users, things = catalogue.user_rows(part.users["id"]), catalogue.item_rows(part.items["id"])
        pair = part.interactions
        return [times[key] for key in (users[pair.user] * 60 + things[pair.item]).tolist()]

    known = [name for name in new.items["id"] if name not in set(catalogue.items["id"])]
    assert not known
    assert max(when(old)) <= min(when(new))
