"""Scores of given pairs: dot products, with a rule for what is unknown."""

import polars as pl
import pytest

from alignrec_geo.errors import InputError
from alignrec_geo.serving import scores
from tests.serving.drawn import drawn

TOP = drawn()
PAIRS = pl.DataFrame(
    {"who": ["u1", "zoe", "u39", "u2", "u1", None], "what": ["i3", "i4", "i5", "gone", "new 1", "i6"], "n": range(6)}
)


def popularity(item: int) -> int:
    return int(TOP.dataset.interactions.of(0).item_degree()[item])


@pytest.mark.parametrize("block", [1, 4, 1000])
def test_scores_are_dot_products_in_the_order_of_the_rows(block, monkeypatch):
    monkeypatch.setattr(scores, "BLOCK", block)
    pairs = pl.DataFrame({"user": [f"u{n % 39}" for n in range(50)], "item": [f"i{n * 7 % 300}" for n in range(50)]})
    found = TOP.score(pairs)
    users, items = TOP.embeddings
    expected = [float(users[n % 39] @ items[n * 7 % 300]) for n in range(50)]
    assert found.columns == ["user", "item", "score", "source"]
    assert found["score"].to_list() == pytest.approx(expected, abs=1e-5)
    best = TOP.recommend("u1", k=1, seen="keep")["u1"][0]
    assert TOP.score(pl.DataFrame({"user": ["u1"], "item": [best.item]}))["score"][0] == pytest.approx(best.score)


def test_unknown_pairs():
    skipped = TOP.score(PAIRS, "who", "what", unknown="skip")
    assert skipped["n"].to_list() == [0]
    filled = TOP.score(PAIRS, "who", "what", unknown="popular", include_cold=True)
    assert filled["source"].to_list() == ["model", "popular", "popular", "popular", "content", "popular"]
    wanted = [popularity(4), popularity(5), 0]
    assert filled["score"].to_list()[1:4] == wanted
    assert filled["score"][5] == popularity(6)
    with pytest.raises(
        InputError, match="pairs frame: row 2: user 'zoe' is not in data set 'drawn', or has no training"
    ):
        TOP.score(PAIRS, "who", "what")
    with pytest.raises(InputError, match="row 1: item 'gone' is not in"):
        TOP.score(PAIRS[3:], "who", "what")


def test_pairs_that_are_none():
    for pairs, words in (
        ([("u1", "i1")], "pairs: a polars or pandas frame is needed"),
        (pl.DataFrame({"user": ["u1"]}), "pairs frame: no column 'item'; there are: 'user'"),
        (pl.DataFrame({"user": ["u1"], "item": ["i1"], "score": [1]}), "has a column 'score' already"),
        (pl.DataFrame({"user": [["u1"]], "item": ["i1"]}), "ids are text or whole numbers"),
    ):
        with pytest.raises(InputError, match=words):
            TOP.score(pairs)
    with pytest.raises(InputError, match=r"unknown must be one of error, popular, skip \(got 'none'\)"):
        TOP.score(PAIRS, "who", "what", unknown="none")
    assert TOP.score(pl.DataFrame({"user": [], "item": []}, schema={"user": pl.String, "item": pl.String})).height == 0
