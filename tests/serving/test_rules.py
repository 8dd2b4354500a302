"""What may be recommended: against sorting everything; conditions must not do more than compare."""

from types import SimpleNamespace

import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alignrec_geo.errors import InputError
from alignrec_geo.serving.where import LONGEST, matching
from tests.serving.drawn import drawn

ITEMS = pl.DataFrame(
    {
        "id": ["a", "b", "c", "d"],
        "category": ["Toys", "Books", None, "it's"],
        "price": [10.0, 30.0, 5.0, None],
        "my col": [1, 2, 3, 4],
        "sold": [True, False, None, True],
        "day": pl.Series(["2024-01-01", "2025-01-01", None, "2026-01-01"]).str.to_date(),
    }
)
TOP = drawn()
PRICE, CATEGORY = (TOP.dataset.items[name].to_list() for name in ("price", "category"))


def brute(
    user: int, k: int, allowed: set[int], seen: str = "hide", excluded: frozenset[int] = frozenset()
) -> list[str]:
    """The best items by sorting all of them."""
    pairs = TOP.dataset.interactions
    hidden = {*excluded, *(pairs.item[pairs.user == user].tolist() if seen == "hide" else [])}
    scores = TOP.embeddings.users[user] @ TOP.embeddings.items.T
    order = torch.sort(scores, descending=True, stable=True).indices.tolist()
    return [f"i{row}" for row in order if row in allowed and row not in hidden][:k]


@given(
    only=st.none() | st.sets(st.integers(0, 299), min_size=1, max_size=40),
    without=st.none() | st.sets(st.integers(0, 299), max_size=40),
    price=st.none() | st.floats(0, 25, width=16, allow_subnormal=False),
    seen=st.sampled_from(["hide", "keep"]),
    excluded=st.sets(st.integers(0, 299), max_size=20),
    user=st.integers(0, 38),
)
@settings(deadline=None, max_examples=60)
def test_rules_are_ranking_what_is_allowed(only, without, price, seen, excluded, user):
    allowed = set(range(300)) if only is None else only
    allowed = {row for row in allowed - (without or set()) if price is None or PRICE[row] < price}
    name = f"u{user}"
    rules = {
        "only_items": None if only is None else [f"i{row}" for row in only],
        "without_items": None if without is None else [f"i{row}" for row in without],
        "where": None if price is None else f"price < {price!r}",
        "seen": seen,
        "exclude": {name: [f"i{row}" for row in excluded], "nobody": ["i1"]},
    }
    if not allowed:
        with pytest.raises(InputError, match="no item is left by"):
            TOP.recommend(name, k=5, **rules)
        return
    found = [one.item for one in TOP.recommend(name, k=5, **rules)[name]]
    assert found == brute(user, 5, allowed, seen, frozenset(excluded))


def test_excluded_pairs_hold_for_unknown_users_and_any_form():
    frame = pl.DataFrame({"user": ["zoe", "zoe", "u1"], "item": ["i1", "gone", "i2"], "more": [1, 2, 3]})
    usual = [one.item for one in TOP.recommend("zoe", k=300, unknown="popular")["zoe"]]
    found = TOP.recommend(["zoe", "u1"], k=300, unknown="popular", exclude=frame)
    assert [one.item for one in found["zoe"]] == [name for name in usual if name != "i1"]
    assert "i2" not in [one.item for one in found["u1"]]
    assert list(found.notes) == ["1 of the 3 ids of exclude are of no item here, for example 'gone'"]
    pandas = pytest.importorskip("pandas")
    alone = TOP.recommend("u1", k=9, exclude=pandas.DataFrame(frame.to_dict(as_series=False)))["u1"]
    assert [one.item for one in alone] == [one.item for one in found["u1"][:9]]
    again = TOP.recommend_all(["zoe", "u1"], k=300, unknown="popular", exclude=frame)
    assert again.to_frame()["item"].to_list() == [one.item for items in found.values() for one in items]
    assert again.notes == list(found.notes)


def test_one_user_asked_for_in_two_forms():
    found = TOP.recommend(["u1", b"u1"], k=5, exclude={"u1": [TOP.recommend("u1")["u1"][0].item]})
    assert found["u1"] == found[b"u1"]
    assert [one.item for one in found["u1"]] == [one.item for one in TOP.recommend("u1", k=6)["u1"][1:]]


def test_rules_hold_for_similar_items_and_cold_ones():
    items = TOP.similar("i5", k=300, where="category = 'kind 1' and price > 3", without_items=["i10"])
    rows = [int(one.item[1:]) for one in items]
    assert sorted(rows) == [
        row for row in range(300) if CATEGORY[row] == "kind 1" and PRICE[row] > 3 and row not in (5, 10)
    ]
    both = TOP.recommend("u1", k=300, include_cold=True, only_items=["new 1", "i2"], seen="keep")["u1"]
    assert {one.item for one in both} == {"new 1", "i2"}
    assert "new 1" not in [one.item for one in TOP.recommend("u1", k=300, include_cold=True, where="price >= 0")["u1"]]


def test_columns_of_today():
    table = pl.DataFrame(
        {"item": ["i3", "i4", "gone", "i4"], "price": ["1", "200", "1", "1"], "stock": [5, 6, 7, 8], "title": ["x"] * 4}
    )
    found = TOP.recommend("u1", k=300, where="price > 0", item_table=table, seen="keep")
    assert {one.item for one in found["u1"]} == {"i3", "i4"}
    assert list(found.notes) == ["1 of the 3 ids of item_table are of no item here, for example 'gone'"]
    for rules, items in (
        ({"where": "price > 100"}, {"i4"}),
        ({"where": "stock < 8 and title = 'I3'"}, {"i3"}),
        ({"where": "stock = 6 or category = 'kind 1'", "only_items": ["i4", "i1"]}, {"i4", "i1"}),
    ):
        many = TOP.recommend_all("u1", k=9, item_table=table.rename({"item": "id"}), seen="keep", **rules).to_frame()
        assert set(many["item"]) == items
    assert TOP.similar("i5", where="stock = 5", item_table=table)[0].item == "i3"


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"only_items": ["gone"]}, r"no item is left by only_items=…; there are 300 items"),
        ({"only_items": 3.5, "where": "price < 0"}, "no item is left by only_items=…, where=…"),
        ({"only_items": {"a": 1}}, "only_items: a list of ids is needed"),
        ({"without_items": [None]}, "without_items, number 1 of them: an id is missing"),
        ({"seen": "yes"}, r"seen must be one of hide, keep \(got 'yes'\)"),
        ({"exclude": pl.DataFrame({"user": ["a"]})}, "exclude frame: no column 'item'; there are: 'user'"),
        ({"exclude": [("u1", "i1")]}, "exclude: a polars or pandas frame is needed"),
        ({"exclude": {"u1": None}}, "exclude: items of user 'u1': a list of ids is needed"),
        ({"item_table": ITEMS}, "item_table= brings columns for a condition; give one with where="),
        ({"item_table": ITEMS.drop("id"), "where": "price < 3"}, "item_table frame: no column 'item'; there are"),
        ({"item_table": [1], "where": "price < 3"}, "item_table: a polars or pandas frame is needed"),
        ({"where": ""}, "where: a condition of at most"),
        ({"where": 3}, r"where: a condition of at most .* \(got 3\)"),
    ],
)
def test_rules_that_cannot_be_followed(rules, words):
    with pytest.raises(InputError, match=words):
        TOP.recommend("u1", **rules)
    with pytest.raises(InputError, match=words):
        TOP.recommend_all(**rules)


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ('category = "Toys" and price < 20', "a"),
        ("category == 'Toys' OR price >= 30", "ab"),
        ("category in ('Toys', 'it''s')", "ad"),
        ("category like 'T%' or category ilike 'b%'", "ab"),
        ("category is null", "c"),
        ("category is not null and not (price > 20)", "a"),
        ("price between 5 and 10", "ac"),
        ('"my col" % 2 = 0', "bd"),
        ("lower(category) = 'toys'", "a"),
        ("starts_with(category, 'B')", "b"),
        ("price * 2 - -1 > 20.5 and price <> 30", "a"),
        ("sold", "ad"),
        ("sold = false", "b"),
        ("day >= date '2025-01-01'", "bd"),
        ("coalesce(price, 0) < 1", "d"),
        ("true", "abcd"),
        ("1 = 2", ""),
    ],
)
def test_conditions(where, kept):
    assert "".join(ITEMS["id"].filter(pl.Series(matching(ITEMS, where)))) == kept


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("colour = 'red'", "no column 'colour'; there are: id, category, price, my col, sold, day"),
        ("Category = 'Toys'", "no column 'Category'"),
        ("id in (select id from read_csv('/etc/passwd'))", "no column 'select'"),
        ("id in (table items)", "no column 'table'"),
        ("exists (select 1)", "no function 'exists'"),
        ("read_csv('/etc/passwd') = 'x'", "no function 'read_csv'; there are: abs"),
        ("sum(price) > 3", "no function 'sum'"),
        ("price < 3; drop table items", "cannot be read from '; drop"),
        ("price < 3 -- x", "cannot be read from '--"),
        ("price < 3 /* x */", r"cannot be read from '/\*"),
        ("price::int < 3", "cannot be read from '::int"),
        ("price <", "not a condition on the items"),
        ("price < 3, price > 4", "cannot be read from ', price > 4' on"),
        ("price", r"must be true or false for each item \(got Float64"),
        ("price < 'abc'", r"not a condition on the items \(cannot compare .*; price holds Float64\)"),
        ("'open", "cannot be read from"),
        ("items.price < 3", "no column 'items.price'"),
        ("(" * 4000 + "sold" + ")" * 4000, "not a condition on the items"),
        (" or ".join(["price = 10"] * 101), r"has 201 operators, 200 are taken; many values are compared by in \(…\)"),
        ("+".join(["1"] * 202) + " = price", "has 202 operators"),
        ("sold or " * LONGEST + "sold", f"a condition of at most {LONGEST} characters"),
    ],
)
def test_what_is_no_condition(where, words, capfd):
    with pytest.raises(InputError, match=f"^where: .*{words}"):
        matching(ITEMS, where)
    assert capfd.readouterr().err == ""


def test_a_long_condition_is_fine():
    assert matching(ITEMS, " or ".join(["price = 10"] * 100)).tolist() == [True, False, False, False]
    assert matching(ITEMS, f"price in ({', '.join(map(str, range(20)))}" + ", 7" * 2000 + ")").tolist()[0]


@given(st.text(alphabet="abcdefsoldprice() '\"<>=!+-*/%,.0123456789;andornot", max_size=60))
@settings(deadline=None, max_examples=300)
def test_any_text_is_a_condition_or_one_error(where):
    try:
        said = str(matching(ITEMS, where).shape)
    except InputError as error:
        said = str(error)
    assert said == "(4,)" or (said.startswith("where: ") and "\n" not in said)


def test_whoever_stops_a_condition_stops_it():
    def stopped(*columns):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        matching(SimpleNamespace(select=stopped, columns=["price"], schema={}), "price < 3")
