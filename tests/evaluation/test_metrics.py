import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.metrics import LinkPredMAP, LinkPredNDCG, LinkPredPrecision, LinkPredRecall

from alignrec_geo.errors import InputError
from alignrec_geo.evaluation.metrics import CUTOFFS, cutoff_tuple, ranking_metrics

PYG = {"recall": LinkPredRecall, "ndcg": LinkPredNDCG, "precision": LinkPredPrecision, "map": LinkPredMAP}


@given(st.integers(0, 9999), st.integers(1, 8), st.integers(1, 70))
@settings(max_examples=40, deadline=None)
def test_equal_to_pyg(seed, n_users, most):
    generator = torch.Generator().manual_seed(seed)
    ranked = torch.stack([torch.randperm(200, generator=generator)[:50] for _ in range(n_users)])
    count = torch.randint(1, most + 1, (n_users,), generator=generator)
    wanted = [torch.randperm(200, generator=generator)[:n] for n in count.tolist()]
    hits = torch.stack([torch.isin(row, positives) for row, positives in zip(ranked, wanted, strict=True)])
    ours = ranking_metrics(hits, count)
    labels = torch.stack([torch.repeat_interleave(torch.arange(n_users), count), torch.cat(wanted)])
    for name, kind in PYG.items():
        for k in CUTOFFS:
            metric = kind(k)
            metric.update(ranked[:, :k], labels)
            assert float(ours[f"{name}@{k}"].mean()) == pytest.approx(float(metric.compute()), abs=1e-6)


def test_every_metric_at_the_four_cutoffs_of_the_field():
    hits = torch.zeros(1, 50, dtype=torch.bool)
    hits[0, 10] = True  # rank 11
    got = {name: float(value) for name, value in ranking_metrics(hits, torch.tensor([1])).items()}
    names = [f"{metric}@{k}" for metric in ("recall", "ndcg", "precision", "map") for k in (5, 10, 20, 50)]
    assert list(got) == names
    assert (got["recall@10"], got["recall@20"]) == (0.0, 1.0)
    assert got["precision@20"] == pytest.approx(1 / 20)
    assert got["ndcg@20"] == pytest.approx(1 / math.log2(12))
    assert got["map@20"] == pytest.approx(1 / 11)


def test_cutoffs_go_up_to_a_million():
    assert cutoff_tuple([1, 1_000_000]) == (1, 1_000_000)
    for cutoffs in (0, 1_000_001, [], [5, 5], True, 2.5, "5"):
        with pytest.raises(InputError, match="different whole numbers"):
            cutoff_tuple(cutoffs)


def test_by_hand():
    hits = torch.tensor([[False, True, False, True, False]])
    got = {name: float(value) for name, value in ranking_metrics(hits, torch.tensor([3]), cutoffs=(2, 5)).items()}
    log = torch.log2(torch.tensor([2.0, 3.0, 4.0, 5.0], dtype=torch.float64))
    assert got["recall@2"] == pytest.approx(1 / 3)
    assert got["recall@5"] == pytest.approx(2 / 3)
    assert got["precision@5"] == pytest.approx(2 / 5)
    assert got["ndcg@2"] == pytest.approx(float((1 / log[1]) / (1 / log[0] + 1 / log[1])))
    assert got["ndcg@5"] == pytest.approx(float((1 / log[1] + 1 / log[3]) / (1 / log[:3]).sum()))
    assert got["map@5"] == pytest.approx((1 / 2 + 2 / 4) / 3)


def test_fewer_ranks_than_the_cutoff():
    got = ranking_metrics(torch.tensor([[True]]), torch.tensor([1]))
    assert float(got["recall@50"]) == 1.0
    assert float(got["precision@50"]) == pytest.approx(1 / 50)
    assert float(got["ndcg@50"]) == 1.0
