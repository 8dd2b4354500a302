import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch_geometric.data import HeteroData

from alignrec_geo.errors import InputError
from alignrec_geo.graph.hetero import INTERACTS
from alignrec_geo.models import Batch, LightGCN, LightGCNConfig
from alignrec_geo.testing import KnownAnswers
from tests.golden_numbers import toy_graph
from tests.models.golden_parity import GoldenParity, ten_steps_agree

BATCH = Batch(torch.tensor([0, 3, 5, 3]), torch.tensor([1, 2, 7, 9]), torch.tensor([4, 8, 11, 30]), nominal_size=8)


def dense_adjacency(data: HeteroData) -> torch.Tensor:
    """D^-1/2 A D^-1/2 written out, in double precision."""
    users, items = data["user"].num_nodes, data["item"].num_nodes
    a = torch.zeros(users + items, users + items, dtype=torch.float64)
    user, item = data[INTERACTS].edge_index
    a[user, users + item] = a[users + item, user] = 1.0
    scale = a.sum(1).clamp(min=1.0).rsqrt()
    return scale[:, None] * a * scale


class TestKnownAnswers(KnownAnswers):
    model = LightGCN
    config = {"dim": 16}


class TestParity(GoldenParity):
    file = "LightGCN"
    names = {"user_embedding": "embedding_dict.user_emb", "item_embedding": "embedding_dict.item_emb"}

    def make(self):
        return LightGCN(toy_graph(), config=LightGCNConfig(layers=3, reg_weight=0.01))

    def test_ten_adam_steps(self, model, golden):
        a = dense_adjacency(toy_graph())

        def plain(p: dict[str, torch.Tensor], batch: Batch) -> torch.Tensor:
            e = torch.cat([p["user_embedding"], p["item_embedding"]])
            z = (e + a @ e + a @ a @ e + a @ a @ a @ e) / 4
            u, i, j = batch.users, batch.positives + 60, batch.negatives + 60
            bpr = -F.logsigmoid((z[u] * z[i]).sum(1) - (z[u] * z[j]).sum(1)).mean()
            return bpr + 0.01 * (e[u].norm() + e[i].norm() + e[j].norm()) / len(u)

        ten_steps_agree(model, plain, self.batch(golden))


@pytest.mark.parametrize("layers", [0, 1, 2, 4])
def test_tables_are_the_dense_formula(layers):
    model = LightGCN(toy_graph(), config=LightGCNConfig(layers=layers))
    a, e = dense_adjacency(toy_graph()), torch.cat([model.user_embedding, model.item_embedding]).double()
    expected = sum(torch.linalg.matrix_power(a, power) @ e for power in range(layers + 1)) / (layers + 1)
    np.testing.assert_allclose(torch.cat(model.embeddings()), expected.detach(), atol=1e-6)


def test_the_penalty_is_on_the_rows_before_propagation():
    model = LightGCN(toy_graph(), config=LightGCNConfig(reg_weight=0.5))
    rows = (
        model.user_embedding[BATCH.users],
        model.item_embedding[BATCH.positives],
        model.item_embedding[BATCH.negatives],
    )
    assert float(model.loss(BATCH)["reg"]) == pytest.approx(float(0.5 * sum(part.norm() for part in rows) / 4))


def test_isolated_nodes_keep_their_own_row():
    data = toy_graph()
    user, item = data[INTERACTS].edge_index
    data[INTERACTS].edge_index = data[INTERACTS].edge_index[:, (user != 2) & (item != 5)]
    model = LightGCN(data, config=LightGCNConfig(layers=2))
    users, items = model.embeddings()
    torch.testing.assert_close(users[2], model.user_embedding[2].detach() / 3)
    torch.testing.assert_close(items[5], model.item_embedding[5].detach() / 3)
    assert users.isfinite().all()
    assert items.isfinite().all()


def test_xavier_scales_of_the_separate_tables():
    model = LightGCN(toy_graph())
    assert float(model.user_embedding.abs().max()) == pytest.approx((6 / (60 + 64)) ** 0.5, rel=0.02)
    assert float(model.item_embedding.abs().max()) == pytest.approx((6 / (40 + 64)) ** 0.5, rel=0.02)


def test_errors_and_repr():
    with pytest.raises(InputError, match="layers"):
        LightGCNConfig(layers=-1)
    assert repr(LightGCN(toy_graph())) == "LightGCN(users=60, items=40)"
