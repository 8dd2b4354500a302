import torch

from alignrec_geo.kernels import topk
from alignrec_geo.kernels.knn import cosine_knn, reference_cosine_knn


def test_equals_the_whole_similarity_matrix(monkeypatch):
    x = torch.randn(37, 8, generator=torch.Generator().manual_seed(0))
    for size in (1, 100, 10**6):
        monkeypatch.setattr(topk, "BLOCK_SCORES", size)
        similarity, neighbour = cosine_knn(x, 5)
        expected, column = reference_cosine_knn(x, 5)
        torch.testing.assert_close(similarity, expected)
        assert torch.equal(neighbour, column)
    assert torch.equal(neighbour[:, 0], torch.arange(37))  # an item is its own nearest


def test_fewer_rows_than_neighbours_and_equal_rows():
    similarity, neighbour = cosine_knn(torch.ones(3, 2), 10)
    assert neighbour.tolist() == [[0, 1, 2]] * 3
    torch.testing.assert_close(similarity, torch.ones(3, 3))
    assert cosine_knn(torch.empty(0, 4), 10)[0].shape == (0, 0)
