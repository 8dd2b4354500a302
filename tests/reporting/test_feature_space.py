"""What is near what, and where it lies: known answers, and numpy's own decomposition."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from alignrec_geo.dataset import make_catalogue
from alignrec_geo.errors import InputError
from alignrec_geo.reporting.feature_space import (
    DRAWN,
    Content,
    coloured,
    neighbours,
    open_contents,
    plane,
    principal_plane,
)


@pytest.fixture(scope="module")
def data():
    return make_catalogue(n_users=60, n_items=50, image_size=16)


def test_neighbours_are_those_of_all_cosines(data):
    content = open_contents(data, ["image"])[0]
    cosines = content.unit @ content.unit.T
    for place in (0, 7, len(content.items) - 1):
        own = cosines[place].clone()
        own[place] = -2
        found = neighbours(content, place, 5)
        assert [item for item, _ in found] == content.items[own.argsort(descending=True)[:5].numpy()].tolist()
        assert [cosine for _, cosine in found] == pytest.approx(own.sort(descending=True).values[:5].tolist(), abs=1e-5)
    assert len(neighbours(content, 0, 500)) == len(content.items) - 1


def test_contents_have_the_same_items_and_unit_rows(data):
    image, joined = open_contents(data, ["image", "image+text"])
    assert np.array_equal(image.items, joined.items)
    both = data.features("image").present & data.features("text").present
    assert np.array_equal(image.items, np.flatnonzero(both))
    assert torch.allclose(joined.unit.norm(dim=1), torch.ones(len(joined.items)))
    width = data.features("image").width
    assert torch.allclose(joined.unit[:, :width].norm(dim=1), torch.full((len(joined.items),), 0.5**0.5), atol=1e-5)
    with pytest.raises(InputError, match="no features 'sound'"):
        open_contents(data, ["sound"])


def test_only_what_has_much_in_common_is_centred_too(data):
    assert [one.name for one in open_contents(data, ["image"], centred=True)] == ["image"]
    features = data.features("image")
    moved = type(features)("moved", features.matrix + 9.0, features.present)
    found = open_contents(data.with_features(moved), ["moved"], centred=True)
    assert [one.name for one in found] == ["moved", "moved, centred"]


@pytest.mark.parametrize("shape", [(40, 6), (30, 200), (25, 2)])
def test_the_plane_is_that_of_the_singular_vectors(shape):
    rows = np.random.default_rng(3).standard_normal(shape) * np.linspace(3, 0.1, shape[1])
    axes, shares = principal_plane(rows, steps=300)
    centred = rows - rows.mean(axis=0)
    _, scale, directions = np.linalg.svd(centred, full_matrices=False)
    assert np.allclose(np.abs((axes * directions[:2].T).sum(axis=0)), 1.0, atol=1e-6)
    assert np.allclose(shares, scale[:2] ** 2 / (scale**2).sum())
    assert np.array_equal(axes, principal_plane(rows, steps=300)[0])


def test_a_map_draws_so_many_items_at_most():
    rows = torch.nn.functional.normalize(torch.randn(2000, 3, generator=torch.Generator().manual_seed(0)), dim=1)
    places, points, names = plane(Content("x", np.arange(2000), rows), "pca")
    assert len(places) == len(points) == DRAWN
    assert names[0].startswith("1st component, ")
    flat = Content("flat", np.arange(3), torch.ones(3, 1))
    assert plane(flat, "pca")[1].shape == (3, 2)


def test_umap_is_asked_for_cosines_or_said_to_be_missing(monkeypatch):
    content = Content("x", np.arange(4), torch.eye(4))
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(InputError, match="pip install umap-learn"):
        plane(content, "umap")
    asked = {}

    class Umap:
        def __init__(self, **settings):
            asked.update(settings)

        def fit_transform(self, rows):
            return rows[:, :2]

    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=Umap))
    assert np.array_equal(plane(content, "umap")[1], np.eye(4)[:, :2])
    assert asked == {"n_components": 2, "metric": "cosine", "random_state": 0}
    with pytest.raises(InputError, match="unknown map"):
        plane(content, "tsne")


def test_colours_are_a_category_or_popularity(data):
    column, names, of_item = coloured(data, None)
    assert column == "kind"
    assert [names[number] for number in of_item] == [
        kind if kind in names[:-1] else names[-1] for kind in data.items["kind"].to_list()
    ]
    assert len(names) <= 8
    theme = coloured(data, "theme")
    assert theme[0] == "theme"
    plain = type(data)(**{**vars(data), "items": data.items.select("id", "title", "text", "image")})
    assert coloured(plain, None)[:2] == ("popularity", ["head", "mid", "tail", "cold"])
    with pytest.raises(InputError, match=r"no column 'brand'; there are: kind"):
        coloured(data, "brand")
