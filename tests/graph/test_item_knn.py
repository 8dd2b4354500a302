from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch_geometric.nn import LGConv, SimpleConv

from alignrec_geo.graph import item_knn as module
from alignrec_geo.graph.item_knn import item_knn
from alignrec_geo.kernels.csr import CSR
from tests.golden_numbers import load_golden


def dense(edge_index: torch.Tensor, edge_weight: torch.Tensor, n: int) -> torch.Tensor:
    matrix = torch.zeros(n, n, dtype=torch.float64)
    matrix[edge_index[1], edge_index[0]] = edge_weight.double()
    return matrix


def test_equals_the_formula():
    x = torch.from_numpy(load_golden("toy_data")["image_feat"])
    unit = x.double() / x.double().norm(dim=1, keepdim=True)
    similarity = unit @ unit.T
    kept = torch.zeros_like(similarity)
    best = similarity.topk(10, dim=1)
    kept.scatter_(1, best.indices, best.values)
    total = kept.sum(dim=1)
    expected = kept / (total[:, None] * total[None, :]).sqrt()
    ours = dense(*item_knn(x, torch.ones(40, dtype=torch.bool), 10, cache=False), 40)
    assert torch.equal(ours != 0, expected != 0)
    torch.testing.assert_close(ours, expected, rtol=1e-6, atol=1e-6)


def test_one_step_equals_pyg_lgconv_on_the_raw_similarities():
    x = torch.rand(30, 6)
    present = torch.ones(30, dtype=torch.bool)
    edge_index, edge_weight = item_knn(x, present, 4, cache=False)
    unit = torch.nn.functional.normalize(x, dim=1)
    raw = (unit[edge_index[0]] * unit[edge_index[1]]).sum(1)
    h = torch.rand(30, 5)
    ours = CSR.from_coo(edge_index[1], edge_index[0], edge_weight, (30, 30)).matrix @ h
    torch.testing.assert_close(ours, LGConv(normalize=True)(h, edge_index, raw))


def test_uniform_weights_are_the_mean_over_the_same_neighbours():
    x, present = torch.randn(30, 6), torch.rand(30) > 0.2
    edge_index, _ = item_knn(x, present, 4, cache=False)
    same, weight = item_knn(x, present, 4, cache=False, uniform=True)
    assert torch.equal(same, edge_index)
    torch.testing.assert_close(weight, torch.full_like(weight, 0.25))
    h = torch.rand(30, 5)
    ours = CSR.from_coo(same[1], same[0], weight, (30, 30)).matrix @ h
    torch.testing.assert_close(ours, SimpleConv(aggr="mean")(h, same))
    few = item_knn(x[:3], torch.ones(3, dtype=torch.bool), 4, cache=False, uniform=True)[1]
    torch.testing.assert_close(few, torch.full((9,), 1 / 3))


def test_items_without_content_have_no_neighbours_and_are_none():
    x, present = torch.rand(6, 3), torch.tensor([True, True, False, True, True, True])
    x[4] = 0.0  # a zero vector says nothing either
    edge_index, edge_weight = item_knn(x, present, 3, cache=False)
    assert not set(edge_index.unique().tolist()) & {2, 4}
    assert edge_index.shape == (2, 12)
    assert edge_weight.isfinite().all()


def test_opposite_vectors_give_no_nan():
    x = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    _, weight = item_knn(x, torch.ones(3, dtype=torch.bool), 3, cache=False)
    assert weight.isfinite().all()
    assert (weight >= 0).all()


def test_cache_is_used_keyed_by_content_k_and_weights_and_mended(tmp_path, monkeypatch):
    monkeypatch.setenv("ALIGNREC_CACHE", str(tmp_path))
    x, present = torch.rand(8, 3), torch.ones(8, dtype=torch.bool)
    first = item_knn(x, present, 3)
    files = list((tmp_path / "item-knn").iterdir())
    assert len(files) == 1
    monkeypatch.setattr(module, "_build", lambda *_: (_ for _ in ()).throw(AssertionError("computed again")))
    for ours, stored in zip(first, item_knn(x, present, 3), strict=True):
        assert torch.equal(ours, stored)
    monkeypatch.undo()
    monkeypatch.setenv("ALIGNREC_CACHE", str(tmp_path))
    files[0].write_bytes(b"damaged")
    assert torch.equal(item_knn(x, present, 3)[1], first[1])
    item_knn(x, present, 4)
    item_knn(x + 1, present, 3)
    assert len(list((tmp_path / "item-knn").iterdir())) == 3
    uniform = item_knn(x, present, 3, uniform=True)[1]
    assert not torch.equal(uniform, first[1])
    assert torch.equal(item_knn(x, present, 3, uniform=True)[1], uniform)
    assert torch.equal(item_knn(x, present, 3)[1], first[1])
    assert len(list((tmp_path / "item-knn").iterdir())) == 4


def test_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("ALIGNREC_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert module.cache_folder() == tmp_path / "alignrec_geo"


def test_a_cache_that_cannot_be_written_or_read_is_a_warning(monkeypatch, tmp_path):
    x, present = torch.rand(8, 3), torch.ones(8, dtype=torch.bool)
    expected = item_knn(x, present, 3, cache=False)
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", "/proc/nope", "\0"):
        monkeypatch.setattr(module, "cache_folder", lambda folder=folder: Path(folder))
        with pytest.warns(UserWarning, match="item graphs cannot be kept in .*ALIGNREC_CACHE") as seen:
            found = item_knn(x, present, 3)
        assert len(seen) == 1
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))

    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(module, "cache_folder", homeless)
    with pytest.warns(UserWarning, match="home directory"):
        item_knn(x, present, 3)


@pytest.mark.parametrize(
    "content",
    [
        {"edge_index": torch.tensor([[0], [99]]), "edge_weight": torch.ones(1)},
        {"edge_index": torch.tensor([[0], [1]]), "edge_weight": torch.ones(2)},
        {"edge_index": torch.tensor([[0], [1]]), "edge_weight": torch.tensor([torch.nan])},
        {"edge_index": torch.tensor([[0.0], [1.0]]), "edge_weight": torch.ones(1)},
        {"edge_index": torch.tensor([[0], [1]])},
    ],
)
def test_a_graph_that_does_not_fit_is_made_again(monkeypatch, tmp_path, content):
    monkeypatch.setenv("ALIGNREC_CACHE", str(tmp_path))
    x, present = torch.rand(8, 3), torch.ones(8, dtype=torch.bool)
    first = item_knn(x, present, 3)
    (file,) = (tmp_path / "item-knn").iterdir()
    save_file(content, file)
    for _ in range(2):
        assert all(torch.equal(a, b) for a, b in zip(item_knn(x, present, 3), first, strict=True))
