"""Search by words: what is found, and in which order."""

import unicodedata

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from alignrec_geo.service.search import WordIndex

WORDS = st.sampled_from(["mug", "Mug", "smug", "blue", "Café", "cafe", "mugs", "12", "l'eau", "שלום", "ﬁne", "x-y"])
TITLES = st.lists(st.none() | st.lists(WORDS, max_size=4).map(" ".join), min_size=1, max_size=12)


def folded(text):
    text = "".join(sign for sign in unicodedata.normalize("NFKD", text) if unicodedata.category(sign)[0] != "M")
    return "".join(sign if sign.isalnum() else " " for sign in text.lower()).split()


@given(titles=TITLES, query=st.lists(WORDS, min_size=1, max_size=2).map(" ".join), limit=st.integers(1, 12))
def test_the_same_as_reading_every_title(titles, query, limit):
    popularity = np.arange(len(titles)) * 7 % 5
    found = WordIndex(pl.Series(titles, dtype=pl.String), popularity).find(query, limit).tolist()
    each = [folded(title or "") for title in titles]
    order = sorted(range(len(titles)), key=lambda row: (-popularity[row], row))
    asked = folded(query)

    def rows(fits):
        return [row for row in order if all(any(fits(word, one) for word in each[row]) for one in asked)]

    begin, inside = rows(lambda word, one: word.startswith(one)), rows(lambda word, one: one in word)
    expected = begin + [row for row in inside if row not in begin] if len(begin) < limit else begin
    assert found == expected[:limit]


def test_nothing_to_find():
    index = WordIndex(pl.Series([None, "", "?!"], dtype=pl.String), np.zeros(3))
    for query in ("a", "", " ", "?", "\x00", "%", "(", "\\"):
        assert index.find(query, 5).tolist() == []
    assert WordIndex(pl.Series(["a.b*c"]), np.ones(1)).find("b*", 5).tolist() == [0]
    assert len(WordIndex(pl.Series([], dtype=pl.String), np.zeros(0)).first(3)) == 0
