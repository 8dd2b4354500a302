"""Parity of AlignRec with the reference implementation, levels 0 to 3."""

import torch
import torch.nn.functional as F

from alignrec_geo.models import AlignRec, AlignRecConfig, Batch
from tests.golden_numbers import toy_graph
from tests.models.golden_parity import GoldenParity, ten_steps_agree


class TestParity(GoldenParity):
    file = "ALIGNREC"
    names = {
        "user_embedding": "user_embedding.weight",
        "item_embedding": "item_id_embedding.weight",
        "content": "mm_embedding.weight",
        "projection.weight": "mm_trs.weight",
        "projection.bias": "mm_trs.bias",
        "gate.weight": "gate_v.0.weight",
        "gate.bias": "gate_v.0.bias",
    }

    def make(self):
        return AlignRec(toy_graph(), config=AlignRecConfig(anchor="current"))

    def test_initial_anchor_differs_once_the_features_have_trained(self, model, golden):
        batch = self.batch(golden)
        fixed = AlignRec(toy_graph())
        fixed.load_state_dict(model.state_dict())
        current, initial = model.loss(batch), fixed.loss(batch)
        assert float(current["reg"]) != float(initial["reg"])
        for name in ("bpr", "l2", "uia", "cca"):
            assert float(current[name]) == float(initial[name])

    def test_ten_adam_steps(self, model, golden):
        def plain(p: dict[str, torch.Tensor], batch: Batch) -> torch.Tensor:
            a, r = (m.matrix.to_dense().double() for m in (model.user_item_graph, model.item_to_user))
            s = model.item_graph.matrix.to_dense().double()
            e = torch.cat([p["user_embedding"], p["item_embedding"]])
            c = (e + a @ e + a @ a @ e) / 3
            f = p["content"] @ p["projection.weight"].T + p["projection.bias"]
            m_i = s @ (p["item_embedding"] * torch.sigmoid(f @ p["gate.weight"].T + p["gate.bias"]))
            m = torch.cat([r @ m_i, m_i])
            h, u, i, j = c + m, batch.users, batch.positives + 60, batch.negatives + 60
            bpr = -F.logsigmoid((h[u] * h[i]).sum(1) - (h[u] * h[j]).sum(1)).mean()
            l2 = 1e-4 * (h[u].square().sum() + h[i].square().sum() + h[j].square().sum()) / 2 / batch.nominal_size
            own = torch.arange(len(u))
            cca = sum(F.cross_entropy(F.normalize(m[n]) @ F.normalize(c[n]).T / 0.2, own) for n in (u, i))
            x = F.normalize(p["content"].detach()[batch.positives])
            reg = 0.1 * (m[i] @ m[i].T - x @ x.T).norm() / len(u)
            return bpr + l2 + 0.01 * cca + 0.1 * (1 - F.cosine_similarity(h[u], h[i]).mean()) + reg

        ten_steps_agree(model, plain, self.batch(golden))
