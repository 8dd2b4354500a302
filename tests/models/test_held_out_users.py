"""Users whom nothing is trained of: found from their histories in validation and test."""

import pytest
import torch

from alignrec_geo import Dataset, make_catalogue
from alignrec_geo.dataset import Split, SplitConfig
from alignrec_geo.evaluation import Evaluator
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.models import LightGCN, Popularity
from alignrec_geo.models.held_out import tables_of
from alignrec_geo.serving import load_top_items
from alignrec_geo.serving.folding_store import FOLDING, load_folding
from alignrec_geo.training import fit


@pytest.fixture(scope="module")
def data():
    made = make_catalogue(n_users=120, n_items=60, image_size=16)
    return made.with_split(SplitConfig(rule="cold-users", validation=0.2, test=0.2))


def test_what_is_measured_are_the_users_folded_in(data, tmp_path):
    model = LightGCN.from_dataset(data, config={"dim": 8})
    result = fit(model, config={"epochs": 3, "lr": 0.02}, out=tmp_path / "run")
    history = data.interactions.of(Split.HISTORY)
    user = int(history.user[0])
    items = torch.from_numpy(history.item[history.user == user])
    folded = model.fold_in(CSR.pattern(torch.zeros_like(items), items, (1, 60)))
    torch.testing.assert_close(result.embeddings.users[[user]], folded)
    assert Evaluator(data, Split.TEST)(result.embeddings).metrics == result.metrics
    assert len(result.test.users) == 24
    stored = load_folding(tmp_path / "run" / FOLDING, tmp_path / "run" / "embeddings.safetensors")
    torch.testing.assert_close(stored(CSR.pattern(torch.zeros_like(items), items, (1, 60))), folded)


def test_a_model_recommends_to_held_out_users_what_its_run_folder_does(data, tmp_path):
    model = LightGCN.from_dataset(data, config={"dim": 8})
    fit(model, config={"epochs": 1}, out=tmp_path / "run", test=False)
    name = data.users["id"][int(data.interactions.of(Split.HISTORY).user[0])]
    served = load_top_items(tmp_path / "run").recommend(name, k=5)[name]
    assert [one.item for one in model.recommend(name, k=5)[name]] == [one.item for one in served]


def test_the_history_is_not_ranked(data):
    tables = tables_of(Popularity.from_dataset(data), data)
    evaluator = Evaluator(data, Split.TEST)
    history = data.interactions.of(Split.HISTORY)
    pairs = set(zip(history.user.tolist(), history.item.tolist(), strict=True))
    for users, scores, items in evaluator.rank(tables):
        for user, row, found in zip(users.tolist(), scores, items, strict=True):
            ranked = found[row > -torch.inf].tolist()
            assert not pairs & {(user, item) for item in ranked}
            assert len(ranked) == min(evaluator.depth, 60 - sum(pair[0] == user for pair in pairs))


def test_without_held_out_users_the_tables_are_the_model_s(data):
    usual = make_catalogue(n_users=60, n_items=40, image_size=16)
    model = LightGCN.from_dataset(usual, config={"dim": 8})
    torch.testing.assert_close(tables_of(model, usual).users, model.embeddings().users)


def test_held_out_users_survive_saving(data, tmp_path):
    saved = data.save(tmp_path / "data")
    assert Dataset.open(saved.path).interactions.split.tolist() == data.interactions.split.tolist()
    assert saved.fingerprint() == data.fingerprint()
