"""One matrix whitened: what it is, where it is kept, and how new items get there."""

import numpy as np
import pytest
import torch

from alignrec_geo.content.feature_sets.whiten import whiten_features
from alignrec_geo.content.item_encoder import NewItem
from alignrec_geo.content.item_encoding.encode_items import encode_items
from alignrec_geo.content.item_encoding.open import brought_widths, open_item_encoder
from alignrec_geo.content.matrices.task import FeaturesConfig, FeaturesTask
from alignrec_geo.content.pretraining.align import align
from alignrec_geo.content.pretraining.loop import PretrainConfig
from alignrec_geo.dataset import Dataset, Features, make_catalogue
from alignrec_geo.errors import InputError

N, D = 40, 5


def vectors(seed: int = 0) -> np.ndarray:
    """Vectors with a large common direction and one of little variance."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(N, D)) * [5, 1, 1, 0.5, 0.01] + 1000).astype(np.float32)


@pytest.fixture
def data(tmp_path) -> Dataset:
    present = np.arange(N) % 8 != 0
    raw = Features("raw", vectors(), present, {"source": "raw.npy"})
    return make_catalogue(n_users=60, n_items=N, image_size=16).with_features(raw).save(tmp_path / "data")


def test_the_result_is_what_the_formula_says(data):
    made = whiten_features(data, "raw", shrink=0.02).features
    x = data.features("raw").matrix[made.present].astype(np.float64)
    mean, covariance = x.mean(axis=0), np.cov(x.T, bias=True)
    variance, directions = np.linalg.eigh(covariance)
    wanted = (x - mean) @ directions / np.sqrt(variance + 0.02 * variance.max())
    ours = made.matrix[made.present]
    np.testing.assert_allclose(ours @ ours.T, wanted @ wanted.T, atol=1e-4)  # directions have no sign
    assert not made.matrix[~made.present].any()
    assert made.meta == {
        "made by": "features whiten",
        "from": "raw",
        "encoder": "raw.npy",
        "whitening": "shrinkage 0.02, fitted to 35 items",
    }


def test_little_shrinkage_leaves_every_direction_alike(data):
    made = whiten_features(data, "raw", shrink=1e-9).features
    covariance = np.cov(made.matrix[made.present].T, bias=True)
    np.testing.assert_allclose(covariance, np.eye(D), atol=1e-2)  # float32 about 1000 beside a spread of 0.01


def test_a_new_item_that_brings_its_row_goes_the_same_way(data):
    made = whiten_features(data, "raw")
    assert brought_widths(made.dataset, ["raw-white"]) == {"raw": D, "raw-white": D}
    rows = np.flatnonzero(made.features.present)
    items = [NewItem(f"n{row}", vectors={"raw": data.features("raw").matrix[row]}) for row in rows]
    nothing, own = NewItem("n", text="a text"), NewItem("o", vectors={"raw-white": np.ones(D, dtype=np.float32)})
    parts, _ = encode_items(made.dataset, ["raw-white"], [*items, nothing, own])
    np.testing.assert_allclose(parts[0].x[: len(rows)], made.features.matrix[rows], atol=1e-5)
    assert parts[0].present.tolist() == [True] * len(rows) + [False, True]
    assert parts[0].x[-1].tolist() == [1] * D
    copy = made.dataset.save(data.path.parent / "copy")  # the transform goes along
    assert torch.equal(open_item_encoder(copy, "raw-white").encode(items)[0], parts[0].x[: len(rows)])
    encoder = open_item_encoder(copy, "raw-white")
    assert not encoder.encode(items[:1], masked=["raw"])[1].any()
    with pytest.raises(InputError, match=r"item 'x': 'raw' must have 5 numbers \(got shape \(2,\)\)"):
        encoder.encode([NewItem("x", vectors={"raw": np.ones(2, dtype=np.float32)})])


def test_aligned_vectors_can_be_whitened_while_their_encoder_stays_the_same(data):
    loop, shape = PretrainConfig(epochs=1, precision="float32"), FeaturesConfig(dim=8, heads=2)
    task = FeaturesTask(data, ["raw", "text"], shape)
    stored = align(data, task, "features", "aligned", loop).dataset
    made = whiten_features(stored, "aligned", "both")
    assert brought_widths(made.dataset, ["both"]) == {"aligned": 8, "both": 8}
    assert set(brought_widths(stored, ["aligned"])) == {"raw", "text", "aligned"}
    item = NewItem("n", vectors={name: data.features(name).matrix[3] for name in ("raw", "text")})
    found = open_item_encoder(made.dataset, "both").encode([item])[0]
    np.testing.assert_allclose(found[0], made.features.matrix[3], atol=1e-4)
    align(made.dataset, FeaturesTask(data, ["raw", "text"], shape, seed=1), "features", "aligned", loop, overwrite=True)
    with pytest.raises(
        InputError, match="not the encoder whose vectors were whitened as 'both'; whiten features 'aligned'"
    ):
        open_item_encoder(Dataset.open(data.path), "both")


def test_what_cannot_be_whitened(data):
    for name, message in (
        ("smell", "has no features 'smell'"),
        ("same", "are the same for all 40 items that have them"),
        ("none", "are the same for all 0 items"),
    ):
        same = Features("same", np.full((N, 3), 7, dtype=np.float32), np.ones(N, dtype=bool))
        nobody = Features("none-of-them", np.zeros((N, 3), dtype=np.float32), np.zeros(N, dtype=bool))
        stored = data.with_features(same, nobody)
        with pytest.raises(InputError, match=message):
            whiten_features(stored, "none-of-them" if name == "none" else name)
    for shrink in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="shrinkage of whitening must be"):
            whiten_features(data, "raw", shrink=shrink)
    with pytest.raises(InputError, match=r"need a name= of their own \(got 'raw'\)"):
        whiten_features(data, "raw", "raw")
    with pytest.raises(InputError, match="a feature name takes"):
        whiten_features(data, "raw", "../x")
    assert not (data.path / "encoders").exists()
    whiten_features(data, "raw")
    again = Dataset.open(data.path)
    with pytest.raises(InputError, match=r"has an encoder or features 'raw-white' already; .*overwrite=True"):
        whiten_features(again, "raw")
    with pytest.raises(InputError, match="features 'raw-white' are whitened already"):
        whiten_features(again, "raw-white")
    before = again.features("raw-white").matrix
    assert not np.array_equal(whiten_features(again, "raw", shrink=1.0, overwrite=True).features.matrix, before)


def test_a_damaged_transform_is_refused(data):
    stored = whiten_features(data, "raw").dataset
    folder = stored.encoder_folder("raw-white")
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(config.replace('"width": 5', '"width": 6'))
    with pytest.raises(InputError, match="not the transform of whitened features"):
        open_item_encoder(stored, "raw-white")
    (folder / "config.json").write_text("{}")
    with pytest.raises(InputError, match="not a readable transform"):
        open_item_encoder(stored, "raw-white")
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match="no encoder there; features 'raw-white' came without it"):
        open_item_encoder(stored, "raw-white")
