"""``features float16``: half the size, and everything that reads features as before."""

import json

import numpy as np

from alignrec_geo.dataset import Dataset, make_catalogue


def test_stored_matrices_become_halves(verb, tmp_path):
    data = make_catalogue(n_users=60, n_items=40, image_size=16).save(tmp_path / "data")
    before = {name: data.features(name).matrix for name in data.feature_names}
    told = json.loads(verb("features", "float16", data.path, "--features", "text", "--json").out)
    assert list(told["bytes"]) == ["text"]
    old, new = told["bytes"]["text"]
    assert new < old
    done = verb("features", "float16", data.path)
    assert done.code == 0, done.err
    assert "features 'image' are stored as float16" in done.out
    read = Dataset.open(data.path)
    for name, matrix in before.items():
        assert np.allclose(read.features(name).matrix, matrix, rtol=2e-3, atol=1e-4)
    assert "stored as: float16" in verb("features", "describe", data.path).out
    assert verb("features", "export", data.path, "--out", tmp_path / "out").code == 0
    assert "stored as: float16" in (tmp_path / "out" / "README.md").read_text()
    assert np.load(tmp_path / "out" / "text_feat.npy").dtype == np.float32
    copied = read.save(tmp_path / "copy")
    assert copied.features("text").meta["stored as"] == "float16"
    verb("features", "float16", data.path, "--features", "audio").refused("audio")
    verb("features", "float16", data.path, "--features", ",").refused("no feature matrices")
