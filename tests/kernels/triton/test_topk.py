import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alignrec_geo.kernels.backends import use_backends
from alignrec_geo.kernels.csr import CSR
from alignrec_geo.kernels.topk import blocked_top_k, reference_top_k
from alignrec_geo.kernels.triton import topk
from alignrec_geo.kernels.triton.topk import top_k


def check(scores, k, device):
    ours = top_k(scores.to(device), k)
    for mine, plain in zip(ours, reference_top_k(scores, k), strict=True):
        assert torch.equal(mine.cpu(), plain)


@given(
    st.integers(0, 999),
    st.integers(1, 5),
    st.sampled_from([1, 2, 50, 64, 300, 1030]),
    st.sampled_from([1, 5, 49, 140]),
    st.integers(1, 300),
)
@settings(max_examples=8, deadline=None)
def test_equals_a_stable_sort_with_many_ties(device, seed, rows, columns, k, levels):
    scores = torch.randint(levels, (rows, columns), generator=torch.Generator().manual_seed(seed)).float()
    scores[scores == 0] = -torch.inf
    check(scores - levels // 2, k, device)


@given(st.integers(0, 999), st.sampled_from([1e-38, 1e-6, 1.0, 1e30]))
@settings(max_examples=4, deadline=None)
def test_scores_of_any_size(device, seed, scale):
    check(scale * torch.randn(2, 1100, generator=torch.Generator().manual_seed(seed)), 50, device)


def test_extremes(device):
    scores = torch.full((1, 200), -torch.inf)
    scores[0, 60:69] = torch.tensor([-0.0, 0.0, -1.5, 2.0, -1e30, 1e-30, -1e-30, torch.inf, torch.inf])
    for k in (1, 2, 5, 9, 11, 199):
        check(scores, k, device)
    check(torch.zeros(3, 100), 7, device)
    check(torch.full((2, 50), -torch.inf), 7, device)


def test_many_best_other_types_long_rows_and_no_rows(device, monkeypatch):
    scores = torch.randn(3, 700, generator=torch.Generator().manual_seed(0))
    check(scores, 300, device)
    check(scores.double(), 5, device)
    check(scores[:, ::2], 5, device)
    check(scores[:0], 5, device)
    monkeypatch.setattr(topk, "LONGEST", 100)
    check(scores, 5, device)


@pytest.mark.parametrize("exclude", [False, True])
def test_ranking_equals_the_reference(device, exclude):
    generator = torch.Generator().manual_seed(3)
    users, items = (torch.randint(-2, 3, (n, 4), generator=generator).float().to(device) for n in (9, 130))
    seen = CSR.pattern(torch.tensor([0, 0, 4, 8]), torch.tensor([1, 8, 2, 129]), (9, 130)).map(lambda t: t.to(device))
    rows, results = torch.tensor([8, 0, 4, 2]), []
    for backend in ("triton", "reference"):
        with use_backends(topk=backend):
            results.append(list(blocked_top_k(users, items, rows, 20, seen if exclude else None)))
    for ours, theirs in zip(*results, strict=True):
        assert all(torch.equal(mine, plain) for mine, plain in zip(ours, theirs, strict=True))
