import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from alignrec_geo.content.tokens import kmeans
from alignrec_geo.content.tokens.kmeans import mini_batch_kmeans, nearest_centres
from alignrec_geo.content.tokens.visual_codes import VisualCodebook, pixel_targets
from alignrec_geo.errors import InputError


def blobs(n=2000, k=8, width=5):
    """Tight clusters far from each other, some of them rare."""
    draw = np.random.default_rng(0)
    means = draw.normal(size=(k, width)) * 10
    label = draw.choice(k, size=n, p=np.arange(1, k + 1) / (k * (k + 1) / 2))
    return (means[label] + 0.05 * draw.normal(size=(n, width))).astype(np.float16), label, means


def test_nearest_centres_are_nearest_in_any_block_size(monkeypatch):
    draw = torch.Generator().manual_seed(0)
    vectors, centres = torch.randn(100, 4, generator=draw), torch.randn(7, 4, generator=draw)
    want = torch.cdist(vectors, centres).argmin(dim=1)
    assert torch.equal(nearest_centres(vectors, centres), want)
    monkeypatch.setattr(kmeans, "BLOCK", 20)
    assert torch.equal(nearest_centres(vectors, centres), want)


@pytest.mark.parametrize("seed", range(4))
def test_every_cluster_gets_a_code_of_its_own(seed):
    vectors, label, means = blobs()
    book = VisualCodebook.fit(vectors.reshape(-1, 4, 5), 8, seed, steps=40)
    codes = book.codes(torch.from_numpy(vectors.astype(np.float32))).numpy()
    assert len({(code, cluster) for code, cluster in zip(codes, label, strict=True)}) == 8
    found = book.centres.numpy()[[codes[label == cluster][0] for cluster in range(8)]]
    np.testing.assert_allclose(found, means, atol=0.05)


@pytest.mark.parametrize("seed", [1, 5, 6])
def test_a_centre_that_takes_nothing_moves_to_what_no_centre_is_near(seed):
    rare = np.repeat(np.array([[9.0, 0.0], [0.0, 9.0], [9.0, 9.0]], dtype=np.float32), 100, axis=0)
    vectors = np.concatenate([np.zeros((20_000, 2), dtype=np.float32), rare])
    first = mini_batch_kmeans(vectors, 4, torch.Generator().manual_seed(seed), steps=0)
    assert len(first.unique(dim=0)) < 4  # the sample for the first centres misses a rare cluster
    fitted = mini_batch_kmeans(vectors, 4, torch.Generator().manual_seed(seed), steps=160)
    codes = nearest_centres(torch.from_numpy(vectors[[0, -1, -101, -201]]), fitted)
    assert len(codes.unique()) == 4


def test_one_seed_gives_one_codebook():
    vectors, _, _ = blobs()
    one, same, other = (VisualCodebook.fit(vectors[:, None], 4, seed).centres for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_a_codebook_is_stored_and_a_users_own_is_read(tmp_path):
    book = VisualCodebook(torch.arange(6.0).view(3, 2), encoder="abc")
    book.save(tmp_path / "codes.safetensors")
    again = VisualCodebook.load(tmp_path / "codes.safetensors")
    assert torch.equal(again.centres, book.centres)
    assert again.encoder == "abc"
    save_file({"centres": torch.ones(2, 2, dtype=torch.float16)}, tmp_path / "own.safetensors")
    assert VisualCodebook.load(tmp_path / "own.safetensors").encoder == ""


def test_codebooks_that_cannot_be_used(tmp_path):
    with pytest.raises(InputError, match="no such"):
        VisualCodebook.load(tmp_path / "none.safetensors")
    save_file({"other": torch.ones(2, 2)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="no tensor 'centres'"):
        VisualCodebook.load(tmp_path / "other.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(b"\x10")
    with pytest.raises(InputError, match="not a readable safetensors"):
        VisualCodebook.load(tmp_path / "cut.safetensors")
    with pytest.raises(InputError, match=r"finite matrix \[codes, width\] \(got shape \(3,\)\)"):
        VisualCodebook(torch.ones(3))
    with pytest.raises(InputError, match="2 wide and the patches 3"):
        VisualCodebook(torch.ones(4, 2)).codes(torch.ones(1, 3))
    with pytest.raises(InputError, match="5 centres need at least as many vectors"):
        VisualCodebook.fit(np.ones((2, 2, 3), dtype=np.float32), 5, 0)


def test_pixel_targets_are_the_patches_row_by_row():
    image = torch.rand(1, 3, 4, 6, generator=torch.Generator().manual_seed(0))
    target = pixel_targets(image, 2)
    assert target.shape == (1, 6, 12)
    torch.testing.assert_close(target.mean(dim=2), torch.zeros(1, 6), atol=1e-5, rtol=0)
    torch.testing.assert_close(target.std(dim=2, unbiased=False), torch.ones(1, 6), atol=1e-3, rtol=0)
    fourth = image[0, :, 2:, :2].reshape(-1)  # second row of patches, first column
    torch.testing.assert_close(target[0, 3], (fourth - fourth.mean()) / fourth.std(unbiased=False), atol=1e-3, rtol=0)
    assert not pixel_targets(torch.ones(1, 3, 4, 4), 2).any()
    with pytest.raises(InputError, match="side 4 do not fit images of 4 x 6"):
        pixel_targets(image, 4)


def test_a_codebook_holds_floats(tmp_path):
    save_file({"centres": torch.ones(2, 2, dtype=torch.int32)}, tmp_path / "whole.safetensors")
    with pytest.raises(InputError, match=r"whole\.safetensors: a codebook holds floats \(got torch\.int32\)"):
        VisualCodebook.load(tmp_path / "whole.safetensors")
