"""The generated catalogue has the known answers its description promises."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from alignrec_geo.dataset import Dataset, Split, make_catalogue
from alignrec_geo.dataset.catalogue_features import image_features, text_features
from alignrec_geo.dataset.catalogue_images import COLOURS, KINDS, PATTERNS, Look, draw
from alignrec_geo.dataset.catalogue_words import MATERIALS, THEMES
from alignrec_geo.errors import InputError


@pytest.fixture(scope="module")
def catalogue() -> Dataset:
    return make_catalogue()


@pytest.fixture(scope="module")
def small() -> Dataset:
    return make_catalogue(n_users=60, n_items=40, image_size=16)


def _dense(data: Dataset, split: Split) -> NDArray[np.float64]:
    pairs = data.interactions.of(split)
    matrix = np.zeros((pairs.n_users, pairs.n_items))
    matrix[pairs.user, pairs.item] = 1
    return matrix


def _unit(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-9)


def _recall(data: Dataset, scores: NDArray[np.float64], items: NDArray[np.int64] | None = None) -> float:
    """Recall@20 on the test pairs (of ``items`` only, where given), all items ranked, training items out."""
    test = _dense(data, Split.TEST)
    if items is not None:
        test[:, np.setdiff1d(np.arange(test.shape[1]), items)] = 0
    ranked = np.argsort(-np.where(_dense(data, Split.TRAIN) > 0, -np.inf, scores), axis=1, kind="stable")[:, :20]
    asked = test.sum(axis=1) > 0
    return float((np.take_along_axis(test, ranked, 1).sum(axis=1)[asked] / test.sum(axis=1)[asked]).mean())


def _profile_scores(data: Dataset, *names: str) -> NDArray[np.float64]:
    content = np.hstack([_unit(data.features(name).matrix.astype(np.float64)) for name in names])
    return _unit(_dense(data, Split.TRAIN) @ content) @ content.T


def _cold(data: Dataset) -> NDArray[np.int64]:
    return np.flatnonzero(data.interactions.of(Split.TRAIN).item_degree() == 0)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_both_modalities_beat_one_which_beats_popularity_which_beats_chance(seed: int) -> None:
    data = make_catalogue(seed=seed)
    train = _dense(data, Split.TRAIN)
    both = _recall(data, _profile_scores(data, "image", "text"))
    single = [_recall(data, _profile_scores(data, name)) for name in ("image", "text")]
    popularity = _recall(data, np.tile(train.sum(axis=0), (len(train), 1)))
    chance = _recall(data, np.random.default_rng(0).random(train.shape))
    assert 0.33 < both < 0.5
    assert both > 1.6 * max(single)
    assert min(single) > 2 * popularity
    assert popularity < 0.12
    assert popularity > 1.25 * chance
    assert chance == pytest.approx(20 / 600, abs=0.012)


def test_interactions_alone_say_something_but_nothing_of_cold_items(catalogue: Dataset) -> None:
    train = _dense(catalogue, Split.TRAIN)
    similar = _unit(train.T) @ _unit(train.T).T
    np.fill_diagonal(similar, 0)
    by_interactions, by_content = train @ similar, _profile_scores(catalogue, "image", "text")
    assert 0.2 < _recall(catalogue, by_interactions) < _recall(catalogue, by_content)
    cold = _cold(catalogue)
    assert _recall(catalogue, by_interactions, cold) < 0.02
    assert _recall(catalogue, by_content, cold) > 0.3


def test_a_tenth_of_the_items_is_cold_and_tested(catalogue: Dataset) -> None:
    cold = _cold(catalogue)
    assert len(cold) == 60
    tested = np.unique(catalogue.interactions.of(Split.TEST).item)
    assert len(np.intersect1d(cold, tested)) >= 57


def test_counts(catalogue: Dataset) -> None:
    counts = catalogue.counts()
    assert (counts["users"], counts["items"]) == (1000, 600)
    assert counts["train"] + counts["validation"] + counts["test"] == counts["interactions"]
    degree = catalogue.interactions.user_degree()
    assert degree.min() == 10
    assert degree.max() == 14
    assert catalogue.interactions.of(Split.TRAIN).user_degree().min() >= 3


def test_times_increase_within_a_user(catalogue: Dataset) -> None:
    pairs = catalogue.interactions
    assert pairs.timestamp is not None
    same_user = np.diff(pairs.user) == 0
    assert (np.diff(pairs.timestamp)[same_user] > 0).all()


def test_one_in_a_hundred_lacks_its_image_and_another_its_caption(catalogue: Dataset) -> None:
    no_image = ~catalogue.features("image").present
    no_caption = ~catalogue.features("text").present
    assert no_image.sum() == no_caption.sum() == 6
    assert not (no_image & no_caption).any()
    assert catalogue.items["text"].is_null().to_numpy().tolist() == no_caption.tolist()


def test_words_name_the_kind_the_material_and_the_theme_and_never_the_look(catalogue: Dataset) -> None:
    for title, caption in catalogue.items.select("title", "text").iter_rows():
        words = set(re.findall("[a-z]+", f"{title} {caption}".lower()))
        assert len(words & set(KINDS)) == 1
        assert len(words & set(MATERIALS)) == 1
        assert len(words & set(THEMES)) == 1
        assert not words & {*COLOURS, *PATTERNS}


def test_images_differ_and_show_colour_and_shape() -> None:
    middle = (0.5,) * 7
    looks = [Look(kind, colour, pattern, middle) for kind in KINDS for colour in COLOURS for pattern in PATTERNS]
    assert len({draw(look, 32) for look in looks}) == len(looks)
    with Image.open(io.BytesIO(draw(Look("vase", "red", "plain", middle), 32))) as image:
        assert image.size == (32, 32)
        red, green, blue = image.convert("RGB").getpixel((16, 20))
    assert red > 3 * max(green, blue)
    histograms = image_features(
        [draw(Look(kind, "red", "plain", middle), 32) for kind in ("mug", "kite")]
        + [draw(Look("mug", "blue", "plain", middle), 32)]
    ).matrix[:, -24:]
    assert histograms[0] @ histograms[1] > 0 > histograms[0] @ histograms[2]


def test_words_shared_make_captions_similar() -> None:
    matrix = text_features(["oak mug for camping", "clay vase for camping", "steel lamp for music", None]).matrix
    assert matrix[0] @ matrix[1] > 2 * matrix[0] @ matrix[2] > 0
    assert np.linalg.norm(matrix, axis=1).tolist() == pytest.approx([1, 1, 1, 0])


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, small: Dataset) -> None:
    again = make_catalogue(n_users=60, n_items=40, image_size=16)
    stored = [data.save(tmp_path / name).path for name, data in (("first", small), ("again", again))]
    files = [sorted(file.relative_to(folder) for file in folder.rglob("*") if file.is_file()) for folder in stored]
    assert files[0] == files[1]
    assert all((stored[0] / file).read_bytes() == (stored[1] / file).read_bytes() for file in files[0])


def test_another_seed_gives_another_catalogue(small: Dataset) -> None:
    other = make_catalogue(n_users=60, n_items=40, image_size=16, seed=1)
    assert not small.items.equals(other.items)
    assert small.interactions.keys().tolist() != other.interactions.keys().tolist()
    assert list(small.images or ()) != list(other.images or ())


def test_it_is_stored_with_its_images(tmp_path: Path, small: Dataset) -> None:
    stored = small.save(tmp_path / "catalogue")
    present = small.features("image").present
    assert [stored.image_path(row) is not None for row in range(40)] == present.tolist()
    row = int(np.flatnonzero(present)[0])
    with Image.open(stored.image_path(row) or "") as image:
        assert image.size == (16, 16)
    assert np.array_equal(stored.features("text").matrix, small.features("text").matrix)
    assert stored.features("image").meta["made_by"].startswith("8x8 RGB thumbnail")
    assert stored.split_config.rule == "given"
    assert stored.counts() == small.counts()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_users": 9}, "n_users of at least 10 .got 9"),
        ({"n_items": 5}, "n_items of at least 30"),
        ({"image_size": 4}, "image_size of at least 8"),
        ({"seed": -1}, "needs seed of at least 0"),
    ],
)
def test_impossible_sizes_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_catalogue(**options)
