"""Items like an item and users like a user, against all cosines."""

import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal

from alignrec_geo.errors import InputError
from alignrec_geo.serving import bulk
from tests.serving.drawn import drawn

TOP = drawn()


def cosines(vectors, row):
    return torch.nn.functional.cosine_similarity(vectors[row : row + 1], vectors)


def test_users_like_a_user():
    frame = TOP.similar_users("u3", k=4).to_frame()
    scores = cosines(TOP.embeddings.users, 3)
    scores[3] = -torch.inf
    assert frame.columns == ["user", "rank", "similar_user", "score"]
    assert frame["similar_user"].to_list() == [f"u{row}" for row in scores.topk(4).indices.tolist()]
    assert frame["score"].to_list() == pytest.approx(scores.topk(4).values.tolist(), abs=1e-6)
    everybody = TOP.similar_users(k=100).to_frame()
    assert everybody.height == 40 * 39
    assert everybody.filter(pl.col("user") == pl.col("similar_user")).height == 0


@pytest.mark.parametrize("include_cold", [False, True])
@pytest.mark.parametrize("size", [1, 8, 10**6])
def test_many_items_are_as_one_by_one(monkeypatch, size, include_cold):
    monkeypatch.setattr(bulk, "MOST_USERS", size)
    items = ["i5", "new 1", "gone", TOP.cold_items.ids[1], "i0", "i5"]
    options = {"k": 7, "include_cold": include_cold, "where": "price > 2 or price is null"}
    stream = TOP.similar_all(items, **options)
    assert stream.left_out.to_list() == ["gone"]
    known = [name for name in dict.fromkeys(items) if name != "gone"]
    singles = [TOP.similar(name, **options).to_frame().with_columns(asked=pl.lit(name)) for name in known]
    expected = pl.concat(singles).select(
        item="asked", rank="rank", similar_item="item", title="title", score=pl.col("score").cast(pl.Float32),
        source="source", cold="cold",
    )  # fmt: skip
    assert_frame_equal(stream.to_frame(), expected)


def test_new_items_are_asked_with_and_found_only_if_wanted():
    assert TOP.similar_all(k=1).total == 301
    assert "new 1" not in TOP.similar_all(k=300).to_frame()["similar_item"]
    found = TOP.similar_all(k=300, include_cold=True).to_frame()
    assert found.filter(pl.col("similar_item") == "new 1")["source"].unique().to_list() == ["content"]
    assert found.height == 301 * 300


def test_what_cannot_be_asked():
    with pytest.raises(InputError, match="unknown item 'gone' in data set 'drawn'; known are for example 'i0', 'i1'"):
        TOP.similar_all(["i1", "gone"], unknown="error")
    with pytest.raises(InputError, match="unknown user 'zoe'"):
        TOP.similar_users("zoe")
    with pytest.raises(InputError, match=r"unknown must be one of error, skip \(got 'popular'\)"):
        TOP.similar_all("i1", unknown="popular")
    with pytest.raises(InputError, match="k must be at least 1"):
        TOP.similar_users("u1", k=0)
