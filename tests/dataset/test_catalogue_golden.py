"""The generated catalogue is the same on every machine: what it draws and who takes what are pinned here.

Results in the README and in `benchmarks/results/` were made on such catalogues: a change here is a change of theirs.
"""

import io

import numpy as np
import pytest
from PIL import Image

from alignrec_geo.dataset import make_catalogue
from alignrec_geo.dataset.catalogue_features import image_features, text_features
from alignrec_geo.dataset.catalogue_images import Look, draw

LARGEST = (1.0, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0)
"""Jitter with nearly the largest size and the full shade, on white."""


@pytest.fixture(scope="module")
def small():
    return make_catalogue(n_users=60, n_items=40, image_size=16)


def pixels(kind="mug", colour="red", pattern="plain", jitter=LARGEST, size=50):
    image = Image.open(io.BytesIO(draw(Look(kind, colour, pattern, jitter), size)))
    return np.asarray(image.convert("RGB")).astype(int)


def drawn(image):
    return (image != image[0, 0]).any(axis=2)


@pytest.mark.parametrize(
    ("kind", "area", "row", "column"),
    [
        ("mug", 1298, 24.5, 23.3),
        ("lamp", 916, 21.8, 24.5),
        ("chair", 904, 27.8, 22.1),
        ("clock", 1536, 24.9, 24.3),
        ("kite", 879, 23.5, 24.7),
        ("vase", 1192, 27.4, 24.5),
        ("bag", 1488, 30.0, 24.5),
        ("bowl", 923, 31.4, 24.9),
        ("birdhouse", 1250, 27.6, 24.7),
        ("umbrella", 939, 17.0, 24.9),
    ],
)
def test_how_many_of_2500_pixels_a_thing_covers_and_where(kind, area, row, column):
    covered = drawn(pixels(kind))
    assert (int(covered.sum()), *np.argwhere(covered).mean(axis=0).round(1).tolist()) == (area, row, column)


@pytest.mark.parametrize(
    ("colour", "rgb"),
    [
        ("red", [220, 30, 30]),
        ("orange", [235, 125, 20]),
        ("yellow", [235, 210, 30]),
        ("lime", [155, 220, 35]),
        ("green", [30, 160, 60]),
        ("turquoise", [30, 185, 170]),
        ("sky", [60, 165, 235]),
        ("blue", [40, 60, 215]),
        ("purple", [145, 45, 205]),
        ("pink", [240, 75, 175]),
    ],
)
def test_colours(colour, rgb):
    image = pixels(colour=colour)
    assert np.unique(image[drawn(image)], axis=0).tolist() == [rgb]


@pytest.mark.parametrize(
    ("pattern", "dark", "in_the_middle"), [("stripes", 586, 0), ("dots", 394, 1), ("checks", 586, 0)]
)
def test_patterns_are_the_same_colour_at_55_percent(pattern, dark, in_the_middle):
    image = pixels(pattern=pattern, size=48)
    assert np.unique(image[drawn(image)], axis=0).tolist() == [[121, 16, 16], [220, 30, 30]]
    of_pattern = image[..., 0] == 121
    assert of_pattern.sum() == dark
    assert of_pattern[20, 20] == in_the_middle


@pytest.mark.parametrize(
    ("jitter", "background", "colour", "first", "last"),
    [
        ((0.0,) * 7, [222] * 3, [180, 24, 24], [3, 3], [32, 36]),
        ((0.5,) * 7, [238] * 3, [200, 27, 27], [8, 8], [41, 45]),
    ],
)
def test_what_the_jitter_moves(jitter, background, colour, first, last):
    image = pixels(jitter=jitter)
    covered = np.argwhere(drawn(image))
    assert image[0, 0].tolist() == background
    assert np.unique(image[drawn(image)], axis=0).tolist() == [colour]
    assert (covered.min(axis=0).tolist(), covered.max(axis=0).tolist()) == (first, last)


def test_who_takes_what_and_when(small):
    pairs = small.interactions
    first = pairs.user == 0
    assert pairs.item[first].tolist() == [23, 25, 9, 36, 20, 21, 0, 8, 24, 14]
    assert pairs.split[first].tolist() == [0, 0, 0, 1, 2, 0, 0, 0, 2, 2]
    assert pairs.timestamp is not None
    assert pairs.timestamp[first][:3].tolist() == [1600607802, 1601537682, 1601795516]
    assert pairs.item[pairs.user == 59].tolist() == [23, 25, 11, 8, 35, 38, 10, 3, 22, 29, 31, 18]
    assert np.bincount(pairs.split).tolist() == [505, 100, 105]
    assert pairs.item_degree()[:20].tolist() == [
        28,
        5,
        3,
        28,
        20,
        12,
        18,
        16,
        12,
        24,
        21,
        24,
        15,
        20,
        13,
        17,
        22,
        16,
        17,
        23,
    ]
    assert int(pairs.timestamp.sum()) == 1138252498051
    assert small.items["text"][0] == "Our customers use the bowl for the office desk; the cork ages well."


def test_features(small):
    image = small.features("image").matrix
    assert image.shape == (40, 8 * 8 * 3 + 24)
    shape, colour = np.linalg.norm(image[:, :192], axis=1), np.linalg.norm(image[:, 192:], axis=1)
    assert shape[:4] == pytest.approx([1.09055, 0.92092, 0.94990, 0.93683], abs=1e-4)
    assert colour[:4] == pytest.approx([2.01565, 2.17847, 1.78161, 1.73765], abs=1e-4)
    text = small.features("text").matrix
    assert text.shape == (40, 109)
    expected = [
        0.16214,
        0.50059,
        0.45207,
        0.18946,
        0.28156,
        0.03127,
        0.10662,
        0.50059,
        0.18946,
        0.24276,
        0.18946,
        0.09960,
    ]
    assert text[0][text[0] > 0] == pytest.approx(expected, abs=1e-4)


def test_a_hue_is_shared_between_its_two_nearest_bins():
    def plain(*colours):
        buffers = [io.BytesIO() for _ in colours]
        for buffer, colour in zip(buffers, colours, strict=True):
            Image.new("HSV", (4, 4), colour).convert("RGB").save(buffer, format="PNG")
        return [buffer.getvalue() for buffer in buffers]

    one, other = image_features(plain((0, 255, 255), (128, 255, 255))).matrix[:, -24:]
    assert np.argmax(one) == 0
    assert np.argmax(other) == 12  # half of 256 is bin 12 of 24
    assert one == pytest.approx(-other)  # centred
    assert np.linalg.norm(one) == pytest.approx(2.0)  # the histogram counts twice
    grey = image_features(plain((0, 0, 128), (0, 0, 255))).matrix
    assert not grey[:, -24:].any()
    assert np.linalg.norm(grey[:, :-24], axis=1) == pytest.approx([1.0, 1.0])


def test_words_weigh_by_how_rare_they_are():
    matrix = text_features(["red red oak", "oak lamp", None]).matrix  # lamp, oak, red
    rare, common = np.log(3 / 1), np.log(3 / 2)
    expected = np.array([[0, common, 2 * rare], [rare, common, 0], [0, 0, 0]])
    expected[:2] /= np.linalg.norm(expected[:2], axis=1, keepdims=True)
    assert matrix == pytest.approx(expected, abs=1e-6)
