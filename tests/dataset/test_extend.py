"""Data sets with what has come since."""

import numpy as np
import polars as pl
import pytest

from alignrec_geo import Dataset, make_catalogue
from alignrec_geo.dataset.extend import extended
from alignrec_geo.errors import InputError
from tests.dataset.toys import png


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Dataset:
    return make_catalogue(n_users=60, n_items=40, image_size=16).save(tmp_path_factory.mktemp("data") / "shop")


def clicks(*pairs, **columns) -> Dataset:
    frame = pl.DataFrame({"user": [user for user, _ in pairs], "item": [item for _, item in pairs], **columns})
    named = {name: name for name in columns}
    return Dataset.from_frame(frame, rule="all-train", name="clicks", **named)


def named_pairs(data: Dataset) -> dict[tuple[str, str], int]:
    pairs = data.interactions
    users, items = data.users["id"].to_list(), data.items["id"].to_list()
    rows = zip(pairs.user.tolist(), pairs.item.tolist(), pairs.split.tolist(), strict=True)
    return {(users[user], items[item]): split for user, item, split in rows}


def test_old_rows_stay_and_new_ones_follow(data):
    user, item = data.users["id"][0], data.items["id"][0]
    before = named_pairs(data)
    known = next(iter(before))
    more = extended(data, clicks(("zoe", item), ("zoe", "new-1"), (user, "new-1"), known, timestamp=[1, 2, 3, 4]))
    made = more.dataset
    assert (more.pairs, more.known, more.users, more.items) == (3, 1, 1, 1)
    assert made.users["id"].to_list() == [*data.users["id"], "zoe"]
    assert made.items["id"].to_list() == [*data.items["id"], "new-1"]
    assert named_pairs(made) == {**before, ("zoe", item): 0, ("zoe", "new-1"): 0, (user, "new-1"): 0}
    assert made.interactions.n_items == 41
    assert not made.features("image").present[40]
    np.testing.assert_array_equal(made.features("text").matrix[:40], data.features("text").matrix)
    assert "3 pairs of 'clicks' were added, with 1 users and 1 items" in made.notes


def test_content_and_images_of_new_items_are_kept(data, tmp_path):
    width = data.features("text").width
    items = pl.DataFrame({"id": ["n-1", "n-2"], "title": ["Red mug", None], "text": [None, "A pen."]})
    rows = {"text": (np.ones((2, width), dtype=np.float32), np.array([True, False]))}
    (tmp_path / "a.png").write_bytes(png((9, 9, 200), size=16))
    more = extended(data, clicks((data.users["id"][0], "n-1"), timestamp=[1]), items, rows, {"n-1": tmp_path / "a.png"})
    saved = more.dataset.save(tmp_path / "more")
    assert saved.items.tail(2)["title"].to_list() == ["Red mug", None]
    assert saved.features("text").present[-2:].tolist() == [True, False]
    assert saved.features("text").meta == data.features("text").meta
    assert saved.image_path(40).read_bytes() == (tmp_path / "a.png").read_bytes()
    assert saved.items["image"].count() == data.items["image"].count() + 1
    first = next(row for row in range(40) if data.image_path(row) is not None)
    assert saved.image_path(first).read_bytes() == data.image_path(first).read_bytes()
    assert Dataset.open(saved.path).counts()["items"] == 42


def test_times_and_ratings_go_with_the_old_ones(data):
    old = clicks(("a", "x"), ("b", "y"), timestamp=[1, 2], rating=[3.0, 4.0])
    more = extended(old, clicks(("a", "y"), timestamp=[7], rating=[1.0])).dataset
    assert more.interactions.timestamp.tolist() == [1, 2, 7]
    assert more.interactions.rating.tolist() == [3.0, 4.0, 1.0]
    with pytest.raises(InputError, match=r"have a rating, those of 'clicks' have none.*rating="):
        extended(old, clicks(("a", "y"), timestamp=[7]))
    plain = extended(clicks(("a", "x")), clicks(("a", "y"), timestamp=[7])).dataset
    assert plain.interactions.timestamp is None


def test_nothing_new_is_an_error(data):
    with pytest.raises(InputError, match="nothing is new"):
        extended(data, clicks(next(iter(named_pairs(data))), timestamp=[1]))
